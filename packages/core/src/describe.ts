import { rowsOf } from './contracts';
import { largestImage } from './largest-image';
import type { MultimodalModel } from './model';

const components = ['encoder', 'projector', 'fusion', 'decoder', 'generator'] as const;

/** A table of the parts with exact parameter counts, and the tokens that one picture takes. */
export function describeModel(model: MultimodalModel): string {
  const rows: [string, string, string][] = [['component', 'part', 'parameters']];
  for (const component of components) {
    const part = model[component];
    if (part) rows.push([component, part.name, part.countParameters().toLocaleString('en-US')]);
  }
  rows.push(['total', '', model.countParameters().toLocaleString('en-US')]);
  const lines = [formatTable(rows)];
  const taken = tokensOfPicture(model);
  if (taken) {
    const { height, width, features, inSequence, exact } = taken;
    const picture = exact ? `a ${width}×${height} picture` : `a picture of ${width}×${height}, the largest`;
    lines.push(`${picture}: ${features} features, ${inSequence} tokens in the sequence`);
  }
  return lines.join('\n');
}

/** What the largest picture takes that an encoder prepares; `exact` where every picture takes that. */
export interface PictureTokens {
  readonly height: number;
  readonly width: number;
  readonly features: number;
  readonly inSequence: number;
  readonly exact: boolean;
}

/** Undefined for a model without pictures, and for a preprocessing that does not say. Runs no kernel. */
export function tokensOfPicture(
  model: Pick<MultimodalModel, 'encoder' | 'projector' | 'fusion'>,
): PictureTokens | undefined {
  const { encoder, projector, fusion } = model;
  const image = encoder && largestImage(encoder.preprocessing);
  if (!image || !projector || !fusion) return undefined;
  const [tokens] = projector.layout(encoder.layout([image]));
  const inSequence = fusion
    .placeholders(tokens)
    .reduce((sum, piece) => sum + (piece.kind === 'features' ? piece.count : 1), 0);
  const exact = encoder.preprocessing.kind === 'fixed';
  return { ...image.original, features: rowsOf(tokens).count, inSequence, exact };
}

/** Columns padded to equal width; the last one to the right. The first row is the head. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === row.length - 1 && i > 0 ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join('\n');
}
