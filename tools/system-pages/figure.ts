import {
  type ImageGenerator,
  type ImageTokens,
  type Module,
  type MultimodalModel,
  type PreparedImage,
  rowsOf,
} from '../../packages/core/src/index';
import { count } from './markdown';

type Views = ImageTokens['views'];

/** A model that sees. */
export type Seeing = Required<Pick<MultimodalModel, 'encoder' | 'projector' | 'fusion' | 'decoder'>> &
  Pick<MultimodalModel, 'generator'>;

export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** How a picture goes through a model, as a Mermaid diagram; runs no kernel. */
export function figure(model: Seeing, image: PreparedImage): string {
  const { encoder, projector } = model;
  const [encoded] = encoder.layout([image]);
  const [projected] = projector.layout([encoded]);
  const { width, height } = image.original;
  const lines = [
    `picture(["picture<br/>${width} × ${height}"])`,
    box('encoder', encoder),
    box('projector', projector),
    'text(["text"])',
    'answer(["answer"])',
    edge('picture', pixelsOf(image), 'encoder'),
    edge('encoder', `${count(rowsOf(encoded).count)} × ${count(encoder.featureSize)}`, 'projector'),
    ...join(model, projected),
    ...(model.generator ? made(model.generator) : []),
  ];
  return drawn(lines);
}

/** How a picture goes through a model that reads codes as words; runs no kernel. */
export function figureOfCodes(
  { decoder, generator }: Pick<MultimodalModel, 'decoder'> & { generator: ImageGenerator },
  { width, height }: PictureSize,
): string {
  const { tokenizer } = generator;
  const codes = count((height / tokenizer.stride) * (width / tokenizer.stride));
  return drawn([
    `picture(["picture<br/>${width} × ${height}"])`,
    box('tokenizer', tokenizer, `${count(tokenizer.codebookSize)} codes`),
    box('decoder', decoder, sizeOf({ decoder })),
    'text(["text"])',
    'answer(["answer"])',
    'made(["picture"])',
    edge('picture', `${width} × ${height}`, 'tokenizer'),
    edge('tokenizer', `${codes} codes, each a word`, 'decoder'),
    edge('text', 'words', 'decoder'),
    'decoder --> answer',
    edge('decoder', 'words of codes', 'tokenizer'),
    'tokenizer --> made',
  ]);
}

/** What makes pictures, beside the answers in words. */
const made = (generator: ImageGenerator): string[] => [
  box('generator', generator, `${count(generator.tokenizer.codebookSize)} codes`),
  'made(["picture"])',
  edge('decoder', 'codes', 'generator'),
  'generator --> made',
];

const drawn = (lines: readonly string[]): string =>
  ['```mermaid', 'flowchart LR', ...lines.map((line) => `  ${line}`), '```'].join('\n');

/** What differs between the methods: how features come into the decoder. */
function join(model: Seeing, { views }: ImageTokens): string[] {
  const { fusion, decoder } = model;
  const rows = (some: Views) =>
    `${count(some.reduce((sum, view) => sum + view.count, 0))} × ${count(decoder.hiddenSize)}`;
  switch (fusion.name) {
    case 'unified':
      return [
        box('fusion', fusion, 'one sequence'),
        box('decoder', decoder, sizeOf(model)),
        edge('projector', rows(views), 'fusion'),
        edge('text', 'embeddings', 'fusion'),
        'fusion --> decoder',
        'decoder --> answer',
      ];
    case 'cross-attention':
      return [...interleaved(model, rows(views)), edge('text', 'embeddings', 'layers')];
    case 'hybrid': {
      const isTile = ({ role }: Views[number]) => role === 'tile';
      return [
        ...interleaved(model, `tiles: ${rows(views.filter(isTile))}`),
        'sequence["one sequence"]',
        edge('projector', `thumbnail: ${rows(views.filter((view) => !isTile(view)))}`, 'sequence'),
        edge('text', 'embeddings', 'sequence'),
        'sequence --> layers',
      ];
    }
    default:
      throw new Error(`no figure of a fusion named '${fusion.name}'`);
  }
}

/** Cross-attention layers between the decoder's own. */
function interleaved(model: Seeing, rows: string): string[] {
  const { fusion, decoder } = model;
  const layers = [...fusion.members()].filter(([name]) => name.startsWith('layers.')).length;
  return [
    'subgraph interleaved ["layers in turn"]',
    `  ${box('cross', fusion, `${layers} gated layers`)}`,
    `  ${box('layers', decoder, sizeOf(model))}`,
    '  cross <--> layers',
    'end',
    edge('projector', `${rows}<br/>as keys and values`, 'cross'),
    'layers --> answer',
  ];
}

const sizeOf = ({ decoder }: Pick<Seeing, 'decoder'>) =>
  `${decoder.numLayers} layers, ${count(decoder.hiddenSize)} wide`;

const component: Readonly<Record<string, string>> = { cross: 'fusion', layers: 'decoder' };

/** A part with its exact number of parameters. */
function box(id: string, part: Module & { readonly name: string }, size?: string): string {
  const parameters = `${count(part.countParameters())} parameters`;
  const lines = [`${component[id] ?? id}: ${part.name}`, ...(size ? [size] : []), parameters];
  return `${id}["${lines.join('<br/>')}"]`;
}

const edge = (from: string, label: string, to: string) => `${from} -- "${label}" --> ${to}`;

/** How many views of which sizes. */
function pixelsOf({ views }: PreparedImage): string {
  const sizes = new Map<string, number>();
  for (const { role, width, height, valid } of views) {
    const kind = valid === false ? 'empty' : role;
    const key = `${kind} of ${width} × ${height}`;
    sizes.set(key, (sizes.get(key) ?? 0) + 1);
  }
  return [...sizes].map(([size, n]) => (n === 1 ? size : `${n} × ${size}`)).join('<br/>');
}
