import type { HeldType, HeldWeight } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { defineKernel } from '../define-op';
import { decode, encode, type HeldCodes, type Matrix } from './codes';
import { heldRows } from './rows';

/**
 * Puts codes into the form that the other kernels for held weights of this backend read. The reference keeps float32
 * values, rounded through the type, so that any backend can have held weights; it saves no memory.
 */
const pack = defineKernel<Record<never, never>, HeldCodes>({
  name: 'mmllm/HoldWeight',
  reference: (_, codes) => tf.tensor2d(decode(codes), [codes.outputs, codes.inputs]),
});

/**
 * Holds a matrix in fewer bits, on the current backend; the kernels of another cannot read it. The caller owns it.
 *
 * @param path of the parameter, for messages
 * @throws WeightError for a value that the type cannot hold: NaN, an infinity, in float16 anything beyond ±65504.
 */
export function holdWeight(matrix: Matrix, type: HeldType, path = 'weight'): HeldWeight {
  return heldWeight(packCodes(encode(matrix, type, path)), type, matrix);
}

/** In the form of the current backend; the caller owns it. */
export const packCodes = (codes: HeldCodes): tf.Tensor => tf.keep(pack({}, codes)[0]!);

/** The weight whose packed form this is. */
export function heldWeight(
  packed: tf.Tensor,
  type: HeldType,
  { shape, inputAxis }: Omit<Matrix, 'values'>,
): HeldWeight {
  const weight: HeldWeight = {
    type,
    shape,
    inputAxis,
    packed,
    byteLength: 4 * packed.size,
    read: () => readHeld(weight),
    dispose: () => packed.dispose(),
  };
  return weight;
}

/** Values that are read at a time, which need memory as float32. */
const CHUNK = 2 ** 20;

async function readHeld(weight: HeldWeight): Promise<Float32Array> {
  const { shape, inputAxis } = weight;
  const [inputs, outputs] = [shape[inputAxis], shape[1 - inputAxis]!];
  const values = new Float32Array(inputs * outputs);
  const step = Math.max(1, Math.floor(CHUNK / inputs));
  for (let first = 0; first < outputs; first += step) {
    const ids = Int32Array.from({ length: Math.min(step, outputs - first) }, (_, i) => first + i);
    const rows = heldRows(weight, ids);
    const data = await rows.data<'float32'>();
    rows.dispose();
    if (inputAxis === 1) values.set(data, first * inputs);
    else
      for (let at = 0; at < data.length; at++)
        values[(at % inputs) * outputs + first + Math.floor(at / inputs)] = data[at]!;
  }
  return values;
}
