import { ConfigError, layersSchema, parseConfig, ShapeError, sizeSchema } from '@mmllm/core';
import type * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { NUM_GROUPS, type StackConfig } from './stacks';

/** Most resolutions: above every published one, and each is built. */
const MAX_LEVELS = 8;

export const multipliersSchema = z.array(sizeSchema).min(1).max(MAX_LEVELS).readonly();

/** What both families take. */
export interface VqConfig {
  /** Number of codes. */
  codebookSize?: number;
  /** Width of a code's vector. */
  codeSize?: number;
  /** Channels of the largest resolution, times the first multiplier. */
  baseChannels?: number;
  /** Channels of each resolution, the largest first; each next one halves the sides. */
  channelMultipliers?: readonly number[];
  /** Residual blocks of each resolution; the decoder has one more. Default 2. */
  numResBlocks?: number;
}

/** The keys of `VqConfig`, for a strict object to which a family adds its own. */
export const vqKeys = (usual: Required<Omit<VqConfig, 'numResBlocks'>>) => ({
  codebookSize: sizeSchema.default(usual.codebookSize),
  codeSize: sizeSchema.default(usual.codeSize),
  baseChannels: sizeSchema.default(usual.baseChannels),
  channelMultipliers: multipliersSchema.default(usual.channelMultipliers),
  numResBlocks: layersSchema.default(2),
});

/** What both classes of transformers have in their `config.json`. */
export const huggingFaceKeys = (usual: Required<Omit<VqConfig, 'numResBlocks' | 'codebookSize'>>) => ({
  embed_dim: sizeSchema.default(usual.codeSize),
  base_channels: sizeSchema.default(usual.baseChannels),
  channel_multiplier: multipliersSchema.default(usual.channelMultipliers),
  num_res_blocks: layersSchema.default(2),
  double_latent: z.literal(false).default(false),
  in_channels: z.literal(3).default(3),
  out_channels: z.literal(3).default(3),
});

type HuggingFaceKeys = z.output<z.ZodObject<ReturnType<typeof huggingFaceKeys>>>;

/** The same by our names. */
export const fromHuggingFace = (hf: HuggingFaceKeys) => ({
  codeSize: hf.embed_dim,
  baseChannels: hf.base_channels,
  channelMultipliers: hf.channel_multiplier,
  numResBlocks: hf.num_res_blocks,
});

const outer = z.looseObject({ vq_config: z.looseObject({}).optional() });

/** Parses the `config.json` of a tokenizer, or the `vq_config` of a whole model's. @throws ConfigError */
export function parseHuggingFace<S extends z.ZodType>(name: string, schema: S, json: unknown): z.output<S> {
  // Whether it is what the schema takes is what is checked here.
  const { vq_config } = parseConfig(`${name} config.json`, outer, json as z.input<typeof outer>);
  return parseConfig(`${name} config.json`, schema, (vq_config ?? json) as z.input<S>);
}

/** Pixels of one code, each way. */
export const strideOf = ({ channelMultipliers }: Pick<StackConfig, 'channelMultipliers'>): number =>
  2 ** (channelMultipliers.length - 1);

/** @throws ConfigError for channels that the groups of a norm do not divide. */
export function checkGroups(name: string, { baseChannels, channelMultipliers }: StackConfig): void {
  const widths = [baseChannels, ...channelMultipliers.map((multiplier) => baseChannels * multiplier)];
  const odd = widths.find((channels) => channels % NUM_GROUPS !== 0);
  if (odd === undefined) return;
  throw new ConfigError({
    component: `${name}.baseChannels`,
    expected: `channels that ${NUM_GROUPS} divides`,
    actual: `${odd}`,
  });
}

/** @throws ShapeError for other pixels than `encode` takes. */
export function checkPixels(name: string, pixels: tf.Tensor4D, stride: number): void {
  const [, height, width, channels] = pixels.shape;
  if (pixels.rank === 4 && channels === 3 && height % stride === 0 && width % stride === 0) return;
  throw new ShapeError({
    component: `tokenizer '${name}'`,
    expected: `float32[B, H, W, 3] with sides that ${stride} divides`,
    actual: `[${pixels.shape.join(', ')}]`,
  });
}

/** @throws ShapeError for codes of another rank. */
export function checkCodes(name: string, codes: tf.Tensor3D): void {
  if (codes.rank === 3 && codes.dtype === 'int32') return;
  throw new ShapeError({
    component: `tokenizer '${name}'`,
    expected: 'int32[B, rows, columns]',
    actual: `${codes.dtype}[${codes.shape.join(', ')}]`,
  });
}
