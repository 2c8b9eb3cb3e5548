import { CheckpointError, toBfloat16, toFloat16 } from '@mmllm/core';
import { describeTensor } from '../safetensors/dtype';
import type { LazyTensor } from '../safetensors/encode';

/** What float32 weights can be written as. */
export type WeightDtype = 'F32' | 'BF16' | 'F16';

const CODES = { BF16: toBfloat16, F16: toFloat16 } as const;

/**
 * A float32 tensor that is written as another type, each value rounded to the nearest, on a tie to the even one. Tensors
 * of other types, such as integers, stay as they are.
 */
export function castTensor(tensor: LazyTensor, dtype: WeightDtype): LazyTensor {
  if (dtype === 'F32' || tensor.dtype !== 'F32') return tensor;
  const code = CODES[dtype];
  return {
    dtype,
    shape: tensor.shape,
    async read(options) {
      const values = await tensor.read(options);
      if (values instanceof Float32Array) return encode(values, code);
      throw new CheckpointError({
        component: 'safetensors',
        expected: `a Float32Array for ${describeTensor(tensor)}`,
        actual: values.constructor.name,
      });
    },
  };
}

function encode(values: Float32Array, code: (value: number) => number): Uint16Array {
  const codes = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) codes[i] = code(values[i]!);
  return codes;
}
