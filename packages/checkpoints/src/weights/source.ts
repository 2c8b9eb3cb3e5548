import { CheckpointError } from '@mmllm/core';
import { describeTensor } from '../safetensors/dtype';
import type { SafetensorsFile } from '../safetensors/file';
import { quote } from '../safetensors/json';
import { hasFloat32, toFloat32 } from '../safetensors/widen';
import type { ReadOptions } from '../source';

/** Named float32 tensors, read one at a time: a file, the shards of a model, or another format. */
export interface WeightSource {
  /** What error messages call it. */
  readonly name: string;
  /** Names in the order that is fastest to read. */
  keys(): Iterable<string>;
  /**
   * Shape of a tensor, from the header alone.
   * @throws CheckpointError if it has no float32 values.
   */
  shape(key: string): readonly number[];
  /** The values, rounded to float32 where stored wider. May be a view of the source's memory: do not write to it. */
  read(key: string, options?: ReadOptions): Promise<Float32Array>;
}

/** The tensors of an open file as weights. The file stays the caller's to close. */
export function safetensorsWeights(file: SafetensorsFile): WeightSource {
  return {
    name: file.name,
    keys: () => file.tensors.keys(),
    shape(key) {
      const tensor = file.tensors.get(key);
      if (tensor && hasFloat32(tensor.dtype)) return tensor.shape;
      throw new CheckpointError({
        component: file.name,
        expected: `a tensor ${quote(key)} with float32 values`,
        actual: tensor ? describeTensor(tensor) : 'none',
      });
    },
    read: async (key, options) => toFloat32(await file.read(key, options)),
  };
}
