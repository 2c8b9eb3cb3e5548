import type * as tf from '@tensorflow/tfjs-core';
import { type Call, wasmKernel } from './call';
import { throughScratch } from './through-scratch';

interface WriteWeightInputs {
  /** The tensor as it is so far; none at the first piece. */
  into?: tf.TensorInfo;
}

interface WriteWeightAttrs {
  shape: readonly number[];
  turned: boolean;
  /** Numbers that are there already. */
  at: number;
  type: 'float32' | 'bfloat16' | 'float16';
  values: Float32Array | Uint16Array;
}

type WriteWeightCall = Call<WriteWeightInputs, WriteWeightAttrs>;

const TYPE_NUMBERS = { float32: -1, bfloat16: 0, float16: 1 };

/** `mmllm/WriteWeight`: the next numbers of a weight that comes piece by piece, in its place. */
export const writeWeightKernel = wasmKernel<WriteWeightInputs, WriteWeightAttrs>(
  'mmllm/WriteWeight',
  'widens and turns weights on their way from a file into the memory of their tensor',
  (call) => {
    const { inputs, attrs, output, overwrite, values } = call;
    const out = inputs.into ? overwrite(inputs.into) : output(attrs.shape);
    if (attrs.type === 'float32' && !attrs.turned) values(out).set(attrs.values, attrs.at);
    else writeByModule(call, out);
    return out;
  },
);

function writeByModule({ attrs, kernels, address, withScratch }: WriteWeightCall, out: tf.TensorInfo): void {
  const { type, values, at, shape, turned } = attrs;
  const number = TYPE_NUMBERS[type];
  if (!turned) {
    throughScratch(withScratch, values, 1, ({ from, first, rows }) => {
      kernels.widenWeights(number, from, rows, address(out) + 4 * (at + first));
    });
    return;
  }
  const [width, height] = shape as [number, number];
  throughScratch(withScratch, values, width, ({ from, first, rows }) => {
    const to = address(out) + 4 * (at / width + first);
    kernels.turnWeights(number, from, rows, width, to, 4 * height);
  });
}
