import {
  ConfigError,
  type HeldType,
  type HeldWeight,
  WEIGHT_TYPES,
  type WeightFormat,
  type WeightType,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { defineKernel } from '../define-op';
import { decode, encode, type HeldCodes, type Matrix } from './codes';
import { heldRows } from './rows';

/**
 * Puts codes into the form that the other kernels for held weights of this backend read. The reference keeps float32
 * values, rounded through the type, so that any backend can have held weights; it saves no memory.
 */
const packCodes = defineKernel<Record<never, never>, HeldCodes>({
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
  const packed = tf.keep(packCodes({}, encode(matrix, type, path))[0]!);
  const { shape, inputAxis } = matrix;
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

/**
 * The format of a type for `Parameter.hold`; undefined for float32.
 *
 * @param inputAxis which axis of the parameter's two a product sums over: 0 for a layer of [In, Out], 1 for a table
 * @throws ConfigError for an unknown type.
 */
export function weightFormat(type: WeightType, inputAxis: 0 | 1): WeightFormat | undefined {
  if (!WEIGHT_TYPES.includes(type)) {
    throw new ConfigError({
      component: 'held weights',
      expected: WEIGHT_TYPES.join(', '),
      actual: String(type),
    });
  }
  if (type === 'float32') return undefined;
  return {
    type,
    hold: (values, shape, path) =>
      // Weights of layers and tables are matrices.
      holdWeight({ values, shape: shape as [number, number], inputAxis }, type, path),
  };
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
