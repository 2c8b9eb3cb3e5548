import { type HeldType, type HeldWeight, Module, type Parameter, WeightError } from '@mmllm/core';
import { Embedding } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { CountingBackend } from './counting';

/** Gives every parameter that has no values yet such as take no memory, of the type that it is to be held as. */
export function fillShapeOnly(module: Module, backend: CountingBackend): void {
  const tables = new Set(tablesOf(module));
  for (const [, parameter] of module.namedParameters()) {
    if (parameter.ready) continue;
    const { shape, type } = parameter;
    if (type === 'float32') {
      const values = tensorOf(backend, shape, 'float32');
      parameter.assign(values);
      values.dispose();
    } else parameter.assign(heldShapeOnly(parameter, type, tables.has(parameter) ? 1 : 0, backend));
  }
}

const tensorOf = (backend: CountingBackend, shape: readonly number[], dtype: tf.DataType): tf.Tensor =>
  tf.keep(tf.engine().makeTensorFromTensorInfo(backend.make(shape, dtype)));

/** Tables are multiplied along their rows, unlike layers. */
function* tablesOf(module: Module): Iterable<Parameter> {
  if (module instanceof Embedding) yield module.weight;
  for (const [, member] of module.members()) if (Module.isInstance(member)) yield* tablesOf(member);
}

function heldShapeOnly(
  { shape, path }: Parameter,
  type: HeldType,
  inputAxis: 0 | 1,
  backend: CountingBackend,
): HeldWeight {
  const matrix = shape as [number, number];
  const packed = tensorOf(backend, [heldBytes(type, matrix[1 - inputAxis]!, matrix[inputAxis]) / 4], 'int32');
  return {
    ...{ type, shape: matrix, inputAxis, packed },
    byteLength: 4 * packed.size,
    read: () => {
      throw new WeightError({ component: path, expected: 'weights with values', actual: 'their size alone' });
    },
    dispose: () => packed.dispose(),
  };
}

/** Outputs that are packed together. */
const PANEL = 8;
/** Values that share a scale. */
const GROUP = 32;

/** Bytes of the groups of a panel: float32 scales, minimums where there are some, and codes. */
const GROUP_BYTES = { q8: 32 + 256, q4: 32 + 128, q4_1: 64 + 128 };

/** What a matrix takes in the packing of the wasm backend; webgpu's is as large but for the filling at its edges. */
function heldBytes(type: HeldType, outputs: number, inputs: number): number {
  const panels = Math.ceil(outputs / PANEL);
  if (type === 'bfloat16' || type === 'float16') return panels * PANEL * inputs * 2;
  return panels * Math.ceil(inputs / GROUP) * GROUP_BYTES[type];
}
