import { CheckpointError, type WeightPiece } from '@mmllm/core';
import { describeTensor } from '../safetensors/dtype';
import type { SafetensorsFile } from '../safetensors/file';
import type { TensorSpan } from '../safetensors/header';
import { quote } from '../safetensors/json';
import { hasFloat32, toFloat32, toPiece } from '../safetensors/widen';
import type { ReadIntoOptions, ReadOptions } from '../source';

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
  /**
   * Some of the values: rows `start` to `end` (exclusive) of the first axis; a scalar is one row. What is stored as
   * float16, bfloat16 or in groups of 32 stays so. May be a view of the source's memory or of `into`. A source without it is read tensor
   * by tensor.
   */
  readRows?(key: string, start: number, end: number, options?: ReadIntoOptions): Promise<WeightPiece>;
}

/** A source that can be read by rows. */
export type RowSource = WeightSource & Required<Pick<WeightSource, 'readRows'>>;

/** The tensors of an open file as weights. The file stays the caller's to close. */
export function safetensorsWeights(file: SafetensorsFile): RowSource {
  const spanOf = (key: string): TensorSpan => {
    const tensor = file.tensors.get(key);
    if (tensor && hasFloat32(tensor.dtype)) return tensor;
    throw new CheckpointError({
      component: file.name,
      expected: `a tensor ${quote(key)} with float32 values`,
      actual: tensor ? describeTensor(tensor) : 'none',
    });
  };
  return {
    name: file.name,
    keys: () => file.tensors.keys(),
    shape: (key) => spanOf(key).shape,
    read: async (key, options) => toFloat32(await file.read(key, options)),
    async readRows(key, from, to, options) {
      const { dtype, shape, start, end } = spanOf(key);
      const [rows = 1, ...row] = shape;
      const bytes = (end - start) / rows;
      const data = await file.readRange(key, from * bytes, to * bytes, options);
      return toPiece({ dtype, shape: [to - from, ...row], data });
    },
  };
}
