import { attention } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { Engine, Work } from '../engine.ts';
import { numbers, oneAfterTheOther, sideBySide } from '../inputs.ts';

export function openAttention(work: Extract<Work, { kind: 'attention' }>): Engine {
  const { heads, length, headSize } = work;
  const [q, k, v] = [1, 2, 3].map((seed) => {
    const data = sideBySide(numbers(heads * length * headSize, seed), heads, length);
    return tf.tensor3d(data, [1, length, heads * headSize]);
  });
  return {
    async run() {
      const out = attention(q, k, v, { causal: false }, { numHeads: heads });
      const values = await out.data<'float32'>();
      out.dispose();
      return { values: () => oneAfterTheOther(values, heads, length) };
    },
  };
}
