import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { openSafetensors, toFloat32, type WeightSource } from '@mmllm/checkpoints';
import { fileSource } from '@mmllm/checkpoints/node';
import type { DenseImages, TokenIds } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';

/** A tensor of a golden case, on the host. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A folder of `fixtures/cases`, whole in memory. */
export interface GoldenCase {
  readonly tolerance: number;
  /** `config.json` of the model. */
  readonly config: unknown;
  /** Weights of the model. */
  readonly weights: WeightSource;
  tensor(name: string): GoldenTensor;
  /** Pictures float32[B, 3, H, W] as a batch, one view each. The caller owns its pixels. */
  images(name: string): DenseImages;
  ids(name: string): TokenIds;
}

/** @param name `<family>/<variant>` */
export async function openCase(name: string): Promise<GoldenCase> {
  const path = (file: string) =>
    fileURLToPath(new URL(`../../../../fixtures/cases/${name}/${file}`, import.meta.url));
  const json = async (file: string) => JSON.parse(await readFile(path(file), 'utf8'));
  const golden = await readAll(path('golden.safetensors'));
  const tensor = (key: string) => {
    const found = golden.get(key);
    if (!found) throw new Error(`case ${name}: no tensor ${key}`);
    return found;
  };
  const { tolerance, class: model } = await json('case.json');
  const weights = model ? await readAll(path('model/model.safetensors')) : new Map<string, GoldenTensor>();
  return {
    tolerance,
    config: model && (await json('model/config.json')),
    weights: memoryWeights(weights),
    tensor,
    images: (key) => asImages(tensor(key)),
    ids: (key) => {
      const { data, shape } = tensor(key);
      return { data: Int32Array.from(data), shape: [shape[0], shape[1]] };
    },
  };
}

async function readAll(path: string): Promise<Map<string, GoldenTensor>> {
  const source = await fileSource(path);
  const file = await openSafetensors(source);
  const tensors = new Map<string, GoldenTensor>();
  for (const [name, { shape }] of file.tensors) {
    tensors.set(name, { shape, data: toFloat32(await file.read(name)).slice() });
  }
  await source.close?.();
  return tensors;
}

/** Weights in memory, where a test can change them. */
export function memoryWeights(tensors: ReadonlyMap<string, GoldenTensor>): WeightSource {
  const get = (key: string) => tensors.get(key) as GoldenTensor;
  return {
    name: 'memory',
    keys: () => tensors.keys(),
    shape: (key) => get(key).shape,
    read: async (key) => get(key).data,
  };
}

function asImages(tensor: GoldenTensor): DenseImages {
  const pixels = asPixels(tensor);
  const [batch, height, width] = pixels.shape;
  const image = { views: [{ role: 'image' as const, height, width }], original: { height, width } };
  return { kind: 'dense', images: new Array(batch).fill(image), pixels };
}

/** Golden float32[…, 3, H, W] as float32[B, H, W, 3]. The caller owns it. */
export function asPixels({ data, shape }: GoldenTensor): tf.Tensor4D {
  const [channels, height, width] = shape.slice(-3);
  const views = data.length / (channels * height * width);
  return tf.tidy(() => tf.transpose(tf.tensor4d(data, [views, channels, height, width]), [0, 2, 3, 1]));
}

/** Golden float32[B, N, D] as the rows that `encode` gives. */
export function asRows({ shape, data }: GoldenTensor): GoldenTensor {
  const width = shape[shape.length - 1];
  return { shape: [data.length / width, width], data };
}
