import {
  disposeImages,
  type ImagePreprocessing,
  type MultimodalModel,
  type PreparedImage,
} from '../../packages/core/src/index';
import { prepareImages } from '../../packages/processors/src/index';
import type { Seeing } from './figure';
import { count, table } from './markdown';
import { sequence } from './sequence';

/** The picture of all pages. */
export const EXAMPLE = { width: 640, height: 480 };

/** The example picture as an encoder wants it. */
export function prepare(preprocessing: ImagePreprocessing): PreparedImage {
  const data = new Uint8Array(EXAMPLE.width * EXAMPLE.height * 3);
  const batch = prepareImages([{ data, ...EXAMPLE }], preprocessing);
  disposeImages(batch);
  return batch.images[0]!;
}

/** The text of the example picture and a question, as the decoder reads it. */
export function sequenceBlock(
  model: Seeing & MultimodalModel,
  image: PreparedImage,
  imageToken: string,
): string {
  const pieces = model.fusion.placeholders(model.imageTokens([image])[0]);
  return ['```text', `${sequence(pieces, imageToken)} What is this?`, '```'].join('\n');
}

/** The same where each code is a word, and each row of them has an end. */
export function codesBlock(stride: number, word: string): string {
  const [rows, columns] = [EXAMPLE.height / stride, EXAMPLE.width / stride];
  const picture = `<boi>${rows}*${columns}<img>(${word}×${columns} <eol>)×${rows} <eof><eoi>`;
  return ['```text', `<bos>${picture} What is this?`, '```'].join('\n');
}

/** Those that a model has. */
export const componentsOf = (model: MultimodalModel) =>
  (['encoder', 'projector', 'fusion', 'decoder', 'generator'] as const).filter((name) => model[name]);

/** Exact counts of every component and of what it consists of. */
export function parameterTable(model: MultimodalModel): string {
  const parts = new Map<string, { size: number; members: Set<string> }>();
  for (const [path, { size, trainable }] of model.namedParameters()) {
    // Running statistics are no parameters.
    if (!trainable) continue;
    const [component, name, member] = path.split('.');
    const part = parts.get(`${component}.${name}`) ?? { size: 0, members: new Set() };
    part.size += size;
    if (/^\d+$/.test(member)) part.members.add(member);
    parts.set(`${component}.${name}`, part);
  }
  const rows = [...parts].map(([path, { size, members }]) => [
    path,
    members.size > 0 ? `${members.size}` : '',
    count(size),
  ]);
  const totals = componentsOf(model).map((component) => [
    `**${component}**`,
    '',
    `**${count(model[component]!.countParameters())}**`,
  ]);
  const total = ['**in all**', '', `**${count(model.countParameters())}**`];
  return table([['part', 'layers', 'parameters'], ...rows, ...totals, total]);
}
