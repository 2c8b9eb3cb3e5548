import { CheckpointError, type WeightPiece } from '@mmllm/core';
import { type Dtype, describeTensor, type TensorData } from './dtype';
import { bfloat16ToFloat32, E4M3, E4M3FNUZ, E5M2, E5M2FNUZ, E8M0, float16ToFloat32 } from './floats';

interface TypedArrayConstructor<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
}

/**
 * The bytes as elements, in place where their address allows. Both the format and every platform that runs
 * JavaScript engines of today are little-endian.
 */
function view<T>(bytes: Uint8Array, Type: TypedArrayConstructor<T>): T {
  const aligned = bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new Type(aligned.buffer, aligned.byteOffset, aligned.byteLength / Type.BYTES_PER_ELEMENT);
}

const fromTable = (table: Float32Array) => (bytes: Uint8Array) =>
  Float32Array.from(bytes, (code) => table[code]!);
const fromBigInts = (values: BigInt64Array | BigUint64Array) => {
  const result = new Float32Array(values.length);
  for (let index = 0; index < values.length; index++) result[index] = Number(values[index]);
  return result;
};

const FLOAT32: Partial<Record<Dtype, (bytes: Uint8Array) => Float32Array>> = {
  F32: (bytes) => view(bytes, Float32Array),
  F64: (bytes) => new Float32Array(view(bytes, Float64Array)),
  F16: (bytes) => float16ToFloat32(view(bytes, Uint16Array)),
  BF16: (bytes) => bfloat16ToFloat32(view(bytes, Uint16Array)),
  F8_E4M3: fromTable(E4M3),
  F8_E5M2: fromTable(E5M2),
  F8_E4M3FNUZ: fromTable(E4M3FNUZ),
  F8_E5M2FNUZ: fromTable(E5M2FNUZ),
  F8_E8M0: fromTable(E8M0),
  BOOL: (bytes) => Float32Array.from(bytes, (byte) => (byte === 0 ? 0 : 1)),
  U8: (bytes) => new Float32Array(bytes),
  I8: (bytes) => new Float32Array(view(bytes, Int8Array)),
  U16: (bytes) => new Float32Array(view(bytes, Uint16Array)),
  I16: (bytes) => new Float32Array(view(bytes, Int16Array)),
  U32: (bytes) => new Float32Array(view(bytes, Uint32Array)),
  I32: (bytes) => new Float32Array(view(bytes, Int32Array)),
  U64: (bytes) => fromBigInts(view(bytes, BigUint64Array)),
  I64: (bytes) => fromBigInts(view(bytes, BigInt64Array)),
};

/** Whether `toFloat32` takes it: all but complex numbers and the types below eight bits, whose packing is open. */
export const hasFloat32 = (dtype: Dtype): boolean => dtype in FLOAT32;

/**
 * A tensor's values as float32. Types of up to 16 bits and `F32` keep their exact values; wider ones are rounded
 * to the nearest float32. `F32` is returned in place where its address allows: do not write to it.
 * @throws CheckpointError for `C64`, `F6_*` and `F4`.
 */
export function toFloat32(tensor: TensorData): Float32Array {
  const widen = FLOAT32[tensor.dtype];
  if (widen) return widen(tensor.data);
  throw new CheckpointError({
    component: 'safetensors',
    expected: 'a dtype with float32 values',
    actual: describeTensor(tensor),
  });
}

/**
 * The same, but what has 16 bits stays as it is stored. It is a view of the bytes where their address allows.
 * @throws CheckpointError as `toFloat32`.
 */
export function toPiece(tensor: TensorData): WeightPiece {
  const { dtype, data } = tensor;
  if (dtype === 'BF16') return { type: 'bfloat16', values: view(data, Uint16Array) };
  if (dtype === 'F16') return { type: 'float16', values: view(data, Uint16Array) };
  return { type: 'float32', values: toFloat32(tensor) };
}

const INT32: Partial<Record<Dtype, (bytes: Uint8Array) => ArrayLike<number | bigint>>> = {
  BOOL: (bytes) => bytes.map((byte) => (byte === 0 ? 0 : 1)),
  U8: (bytes) => bytes,
  I8: (bytes) => view(bytes, Int8Array),
  U16: (bytes) => view(bytes, Uint16Array),
  I16: (bytes) => view(bytes, Int16Array),
  I32: (bytes) => view(bytes, Int32Array),
  U32: (bytes) => view(bytes, Uint32Array),
  I64: (bytes) => view(bytes, BigInt64Array),
  U64: (bytes) => view(bytes, BigUint64Array),
};

/**
 * The values of an integer or boolean tensor, exactly. `I32` is returned in place where its address allows: do not
 * write to it.
 * @throws CheckpointError for other types and for a value outside the range of int32.
 */
export function toInt32(tensor: TensorData): Int32Array {
  const values = INT32[tensor.dtype]?.(tensor.data);
  if (!values) {
    throw new CheckpointError({
      component: 'safetensors',
      expected: 'integers',
      actual: describeTensor(tensor),
    });
  }
  if (values instanceof Int32Array) return values;
  const result = new Int32Array(values.length);
  for (let index = 0; index < values.length; index++) {
    result[index] = Number(values[index]);
    if (result[index] !== Number(values[index])) {
      throw new CheckpointError({
        component: 'safetensors',
        expected: `int32 values in ${describeTensor(tensor)}`,
        actual: `${values[index]} at index ${index}`,
      });
    }
  }
  return result;
}
