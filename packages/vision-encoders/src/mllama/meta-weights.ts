import { type NameMap, type NameRule, toOurs, toTheirs, type WeightSource } from '@mmllm/checkpoints';
import { parseConfig } from '@mmllm/core';
import { type AspectRatio, type MllamaConfig, resolve, schema } from './config';

/** One name of Hugging Face's and what Meta calls it. */
const rule = (ours: string, theirs: string): NameRule => ({ ours, theirs });
const both = (ours: string, theirs: string): NameRule[] =>
  ['weight', 'bias'].map((end) => rule(`${ours}.${end}`, `${theirs}.${end}`));

const blockRules = (name: string): NameRule[] => {
  const [ours, theirs] = [`${name}.layers.{i}`, `vision_encoder.${name}.resblocks.{i}`];
  return [
    ...['q', 'k', 'v', 'o'].map((p) =>
      rule(`${ours}.self_attn.${p}_proj.weight`, `${theirs}.attn.w${p}.weight`),
    ),
    ...both(`${ours}.mlp.fc1`, `${theirs}.mlp.c_fc`),
    ...both(`${ours}.mlp.fc2`, `${theirs}.mlp.c_proj`),
    ...both(`${ours}.input_layernorm`, `${theirs}.ln_1`),
    ...both(`${ours}.post_attention_layernorm`, `${theirs}.ln_2`),
    rule(`${ours}.gate_attn`, `${theirs}.gate_attn`),
    rule(`${ours}.gate_ffn`, `${theirs}.gate_ffn`),
  ];
};

const patchKey = 'vision_model.patch_embedding.weight';
const tableKeys = new Map([
  ['vision_model.gated_positional_embedding.tile_embedding.weight', 'gated_positional_embedding'],
  ['vision_model.pre_tile_positional_embedding.embedding.weight', 'pre_tile_pos_embed.embedding'],
  ['vision_model.post_tile_positional_embedding.embedding.weight', 'post_tile_pos_embed.embedding'],
]);

const within = (rules: NameRule[]): NameRule[] =>
  rules.map(({ ours, theirs }) => rule(`vision_model.${ours}`, `vision_model.${theirs}`));

const names: NameMap = {
  rules: [
    ...within([
      rule('patch_embedding.weight', 'vision_encoder.conv1._linear.weight'),
      rule('class_embedding', 'vision_encoder.class_embedding'),
      rule('gated_positional_embedding.embedding', 'vision_encoder.positional_embedding'),
      rule('gated_positional_embedding.gate', 'vision_encoder.gated_positional_embedding_gate'),
      rule('pre_tile_positional_embedding.gate', 'vision_encoder.pre_tile_pos_embed.gate'),
      rule('post_tile_positional_embedding.gate', 'vision_encoder.post_tile_pos_embed.gate'),
      ...both('layernorm_pre', 'vision_encoder.ln_pre'),
      ...both('layernorm_post', 'vision_encoder.ln_post'),
      ...blockRules('transformer'),
      ...blockRules('global_transformer'),
    ]),
    ...[...tableKeys].map(([ours, theirs]) => rule(ours, `vision_model.vision_encoder.${theirs}`)),
    { ours: 'multi_modal_projector.weight', theirs: 'vision_model.vision_projection.weight' },
    { ours: 'multi_modal_projector.bias', theirs: 'vision_model.vision_projection.bias' },
  ],
};

/**
 * The tower's tensors of a file in Meta's own layout (llama-models, unsharded), as Hugging Face would name and shape
 * them, for `loadWeights`; the rest keeps its name. To be read only: Meta has one value for each place of a tile, and
 * the tables of a canvas cannot be told back from their copies.
 */
export function metaWeights(source: WeightSource, config: MllamaConfig): WeightSource {
  const { aspectRatios, maxTiles, patchSize } = resolve(parseConfig('mllama', schema, config));
  const theirs = (key: string) => toTheirs(names, key)[0]?.key ?? key;
  const shape = (key: string): readonly number[] => {
    const [first, second, ...others] = source.shape(theirs(key));
    if (tableKeys.has(key)) return [aspectRatios.length + 1, maxTiles * product(others)];
    if (key === patchKey) return [first, second / patchSize ** 2, patchSize, patchSize];
    return source.shape(theirs(key));
  };
  return {
    name: source.name,
    *keys() {
      for (const key of source.keys()) yield toOurs(names, key)[0]?.path ?? key;
    },
    shape,
    async read(key, options) {
      const values = await source.read(theirs(key), options);
      if (!tableKeys.has(key)) return values;
      const [, columns, ...others] = source.shape(theirs(key));
      return tableOfCanvases(values, { columns, size: product(others) }, aspectRatios, maxTiles);
    },
  };
}

const product = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1);

/**
 * float32[rows, columns, size], values for each place of a tile, to float32[canvases + 1, maxTiles · size]: those of
 * the tiles of each canvas, row by row. Row 0 is no canvas.
 */
function tableOfCanvases(
  places: Float32Array,
  { columns, size }: { columns: number; size: number },
  canvases: readonly AspectRatio[],
  maxTiles: number,
): Float32Array {
  const table = new Float32Array((canvases.length + 1) * maxTiles * size);
  for (const [index, [height, width]] of canvases.entries()) {
    for (let tile = 0; tile < height * width; tile++) {
      const place = Math.floor(tile / width) * columns + (tile % width);
      table.set(places.subarray(place * size, (place + 1) * size), ((index + 1) * maxTiles + tile) * size);
    }
  }
  return table;
}
