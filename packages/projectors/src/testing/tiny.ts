import {
  type ImageTokens,
  type Projector,
  type ProjectorFactory,
  random,
  type ViewTokens,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import {
  attentionPooling,
  averagePooling,
  cAbstractor,
  linear,
  mlp,
  patchMerger,
  perceiverResampler,
  pixelShuffleMlp,
  pooledMlp,
  resampler,
} from '../index';

const perceiver = { numLayers: 2, numHeads: 2, headSize: 3, numLatents: 2 };

/** Every projector, tiny. */
export const tinyProjectors: Readonly<Record<string, ProjectorFactory>> = {
  linear: linear(),
  mlp: mlp({ activation: 'gelu_tanh' }),
  pixelShuffleMlp: pixelShuffleMlp({ hiddenSize: 7 }),
  'pixelShuffleMlp of one layer': pixelShuffleMlp({ norm: false, numLayers: 1, bias: false }),
  patchMerger: patchMerger(),
  attentionPooling: attentionPooling({ numHeads: 2, headSize: 3, poolingSize: 4, hiddenSize: 7 }),
  resampler: resampler({ numHeads: 2, queries: { 8: 3, 4: 2 } }),
  perceiverResampler: perceiverResampler(perceiver),
  'perceiverResampler with places': perceiverResampler({ ...perceiver, maxMedia: 2, maxFrames: 2 }),
  cAbstractor: cAbstractor({ numQueryTokens: 4, hiddenSize: 8, depth: 1 }),
  'cAbstractor with all parts': cAbstractor({
    numQueryTokens: 1,
    hiddenSize: 6,
    depth: 2,
    mlpDepth: 3,
    prenorm: true,
    numEosTokens: 2,
  }),
  'pooledMlp of convolutions': pooledMlp(),
  'pooledMlp of means': pooledMlp({ pooling: 'mean', newline: 'none' }),
  averagePooling: averagePooling(),
};

/** A projector from 6 to 5 channels, with values. */
export function tiny(name: string, sizes = { inputSize: 6, outputSize: 5 }): Projector {
  return withValues(tinyProjectors[name].build(sizes));
}

/** Large values for every parameter, so that none goes unseen. */
export function withValues<P extends Projector>(projector: P): P {
  for (const [path, parameter] of projector.namedParameters()) {
    const [draw, around] = [random(3, path), parameter.shape.length > 1 ? 0 : 0.8];
    parameter.assign(Float32Array.from({ length: parameter.size }, () => around + 0.5 * draw.normal()));
  }
  return projector;
}

type ViewOptions = Partial<Pick<ViewTokens, 'prefix' | 'role'>> & { readonly frames?: number };

/** One picture with a view for each grid [rows, columns]. */
export function picture(
  grids: readonly (readonly [number, number])[],
  { prefix = 0, role = 'image', frames = 1 }: ViewOptions = {},
  first = 0,
): ImageTokens {
  let start = first;
  const views = grids.map(([rows, columns]) => {
    const count = prefix + frames * rows * columns;
    start += count;
    return { role, start: start - count, count, prefix, grid: { frames, rows, columns } };
  });
  return { views };
}

/** Pictures of one view each, one below the other. */
export function pictures(...grids: readonly (readonly [number, number])[]): ImageTokens[] {
  let start = 0;
  return grids.map((grid) => {
    const image = picture([grid], {}, start);
    start += grid[0] * grid[1];
    return image;
  });
}

/** float32[rows, width]. The caller owns it. */
export const randomRows = (rows: number, width = 6, seed = 5): tf.Tensor2D =>
  tf.randomNormal<tf.Rank.R2>([rows, width], 0, 1, 'float32', seed);
