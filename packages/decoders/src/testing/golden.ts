import { readFileSync } from 'node:fs';
import {
  bufferSource,
  openSafetensors,
  type SafetensorsFile,
  safetensorsWeights,
  toFloat32,
  toInt32,
  type WeightSource,
} from '@mmllm/checkpoints';

/** A golden value, as the test kit compares it. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** A golden case: a model in its published layout, and what the reference computes with it. */
export interface Golden {
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: WeightSource;
  readonly tolerance: number;
  readonly names: readonly string[];
  floats(name: string): Promise<GoldenTensor & { data: Float32Array }>;
  ints(name: string): Promise<GoldenTensor & { data: Int32Array }>;
}

const cases = new URL('../../../../fixtures/cases/', import.meta.url);

/** Opens `fixtures/cases/<name>`; all of it is in memory. */
export async function openGolden(name: string): Promise<Golden> {
  const file = (path: string) => readFileSync(new URL(`${name}/${path}`, cases));
  const json = (path: string) => JSON.parse(file(path).toString('utf8'));
  const tensors = (path: string): Promise<SafetensorsFile> => openSafetensors(bufferSource(file(path), path));
  const golden = await tensors('golden.safetensors');
  return {
    config: json('model/config.json'),
    weights: safetensorsWeights(await tensors('model/model.safetensors')),
    tolerance: json('case.json').tolerance,
    names: [...golden.tensors.keys()],
    async floats(key) {
      const tensor = await golden.read(key);
      return { shape: tensor.shape, data: toFloat32(tensor) };
    },
    async ints(key) {
      const tensor = await golden.read(key);
      return { shape: tensor.shape, data: toInt32(tensor) };
    },
  };
}
