import type { NameMap } from '@mmllm/checkpoints';
import { parseConfig } from '@mmllm/core';
import { activationNamed } from '@mmllm/nn';
import { z } from 'zod';
import { activation } from './config';

/** How a tower is written in Hugging Face's format. */
export interface TowerCheckpoint<Config> {
  /**
   * Our configuration from a parsed `config.json`: the tower's own, or that of a model which nests it. Values that the
   * file leaves out are those of Hugging Face's class.
   * @throws ConfigError for a value that is outside the known set.
   */
  config(json: unknown): Config;
  /**
   * The names of the tower's parameters in a file, for `loadWeights` and `saveWeights`.
   * @param prefixes what stands before the names, `''` for nothing: the first is written, all are loaded.
   */
  names(config: Config, prefixes?: string | readonly string[]): NameMap;
}

/** `hidden_act`, by our names. */
export const hiddenAct = (usual: string) =>
  z
    .string()
    .default(usual)
    .transform((name) => activationNamed(name) ?? name)
    .pipe(activation);

/** Parses `json[nested]`, or `json` itself where nothing is nested. */
export function parseHuggingFace<S extends z.ZodType>(
  component: string,
  schema: S,
  json: unknown,
  nested?: string,
): z.output<S> {
  const outer = z.record(z.string(), z.unknown()).safeParse(json);
  const value = (nested === undefined ? undefined : outer.data?.[nested]) ?? json;
  // Whether it is what the schema takes is what is checked here.
  return parseConfig(`${component} config.json`, schema, value as z.input<S>);
}

/** A side in pixels, or the height and width of a square. */
export const squareSide = z.union([z.int(), z.tuple([z.int(), z.int()])]).transform((value, context) => {
  const [height, width] = typeof value === 'number' ? [value, value] : value;
  if (height !== width) context.addIssue({ code: 'custom', message: 'expected a square' });
  return height;
});

interface BlockDefaults {
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly intermediateSize: number;
  readonly activation: string;
  readonly layerNormEps: number;
}

/** The keys of the blocks of either tower. */
const huggingFaceBlocks = (defaults: BlockDefaults) => ({
  hidden_size: z.int().default(defaults.hiddenSize),
  num_hidden_layers: z.int().default(12),
  num_attention_heads: z.int().default(defaults.numHeads),
  intermediate_size: z.int().default(defaults.intermediateSize),
  hidden_act: hiddenAct(defaults.activation),
  layer_norm_eps: z.number().default(defaults.layerNormEps),
});

const blocksFromHuggingFace = (hf: z.output<z.ZodObject<ReturnType<typeof huggingFaceBlocks>>>) => ({
  hiddenSize: hf.hidden_size,
  numLayers: hf.num_hidden_layers,
  numHeads: hf.num_attention_heads,
  intermediateSize: hf.intermediate_size,
  activation: hf.hidden_act,
  layerNormEps: hf.layer_norm_eps,
});

/** The keys of an image tower, with the defaults of Hugging Face's class. */
export const huggingFaceVision = (
  defaults: Pick<BlockDefaults, 'activation' | 'layerNormEps'> & { patchSize: number },
) =>
  z.object({
    image_size: z.int().default(224),
    num_channels: z.literal(3).default(3),
    patch_size: z.int().default(defaults.patchSize),
    ...huggingFaceBlocks({ hiddenSize: 768, numHeads: 12, intermediateSize: 3072, ...defaults }),
  });

/** Renames the keys of `huggingFaceVision`. */
export const visionFromHuggingFace = (hf: z.output<ReturnType<typeof huggingFaceVision>>) => ({
  imageSize: hf.image_size,
  patchSize: hf.patch_size,
  ...blocksFromHuggingFace(hf),
});

const featureLayer = z.looseObject({
  vision_feature_layer: z.union([z.int(), z.array(z.int()).min(1)]).nullish(),
});

/** Layers that a whole model takes its features from; undefined where the file says none, as in the tower's own. */
export function takenLayers(component: string, json: unknown): number[] | undefined {
  const { vision_feature_layer: layers } = parseHuggingFace(component, featureLayer, json);
  return typeof layers === 'number' ? [layers] : (layers ?? undefined);
}

/** The keys of a text tower, with the defaults of Hugging Face's class. */
export const huggingFaceText = (defaults: BlockDefaults & { vocabSize: number; maxLength: number }) =>
  z.object({
    vocab_size: z.int().default(defaults.vocabSize),
    max_position_embeddings: z.int().default(defaults.maxLength),
    ...huggingFaceBlocks(defaults),
  });

/** Renames the keys of `huggingFaceText`. */
export const textFromHuggingFace = (hf: z.output<ReturnType<typeof huggingFaceText>>) => ({
  vocabSize: hf.vocab_size,
  maxLength: hf.max_position_embeddings,
  ...blocksFromHuggingFace(hf),
});

/** `rope_parameters` of a tower whose positions have two axes, and the `rope_theta` of older files. */
export const huggingFaceAxialRope = {
  rope_theta: z.number().positive().nullish(),
  rope_parameters: z
    .object({
      // One kind under two names.
      rope_type: z.enum(['default', 'axial']).optional(),
      rope_theta: z.number().positive().optional(),
    })
    .nullish(),
};

/** The base of the frequencies; undefined where a file says none. */
export const axialTheta = ({
  rope_theta,
  rope_parameters,
}: z.output<z.ZodObject<typeof huggingFaceAxialRope>>): number | undefined =>
  rope_parameters?.rope_theta ?? rope_theta ?? undefined;
