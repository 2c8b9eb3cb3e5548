import type * as tf from '@tensorflow/tfjs-core';
import { checkTypes, wasmKernel } from './call';
import { type HeldAttrs, heldMultiplied, INTEGERS } from './held';
import { multiplied } from './linear';

/** float32[…, In], and of each layer what `mmllm/Linear` or, for a held weight, `mmllm/HeldLinear` takes. */
type Inputs = { x: tf.TensorInfo } & { [name: `weight${number}`]: tf.TensorInfo } & {
  [name: `bias${number}`]: tf.TensorInfo | undefined;
};

const NAME = 'mmllm/Linears';

/** `mmllm/Linears`: what several layers make of one input. */
export const linearsKernel = wasmKernel<Inputs, { layers: readonly (HeldAttrs | undefined)[] }>(
  NAME,
  'products of one input in one call',
  (call) =>
    call.attrs.layers.flatMap((held, i) => {
      const inputs = {
        x: call.inputs.x,
        weight: call.inputs[`weight${i}`]!,
        bias: call.inputs[`bias${i}`],
      };
      checkTypes(NAME, inputs, held ? INTEGERS : []);
      return held
        ? heldMultiplied({ ...call, inputs, attrs: held })
        : multiplied({ ...call, inputs, attrs: {} });
    }),
  'either',
);
