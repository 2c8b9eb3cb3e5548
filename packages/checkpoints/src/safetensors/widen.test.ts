import { CheckpointError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { DTYPES, type Dtype } from './dtype';
import { hasFloat32, toFloat32, toInt32 } from './widen';

const tensor = (dtype: Dtype, data: ArrayBufferView, shape?: number[]) => ({
  dtype,
  shape: shape ?? [('length' in data && Number(data.length)) || 0],
  data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
});

const allBytes = Uint8Array.from({ length: 256 }, (_, code) => code);
const allHalves = Uint16Array.from({ length: 65536 }, (_, code) => code);

/** A code's value from the definition of a binary floating point number with an IEEE 754 top exponent. */
function ieee(code: number, exponentBits: number, fractionBits: number): number {
  const sign = code >> (exponentBits + fractionBits) ? -1 : 1;
  const exponent = (code >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (code & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
  return sign * (1 + fraction) * 2 ** (exponent - bias);
}

describe('toFloat32', () => {
  it('gives every float16 its exact value', () => {
    expect(toFloat32(tensor('F16', allHalves))).toEqual(
      Float32Array.from(allHalves, (code) => ieee(code, 5, 10)),
    );
  });

  it('gives every bfloat16 its exact value', () => {
    expect(toFloat32(tensor('BF16', allHalves))).toEqual(
      Float32Array.from(allHalves, (code) => ieee(code, 8, 7)),
    );
  });

  it('gives every F8_E5M2 its exact value', () => {
    expect(toFloat32(tensor('F8_E5M2', allBytes))).toEqual(
      Float32Array.from(allBytes, (code) => ieee(code, 5, 2)),
    );
  });

  // Landmarks of each format from its paper: smallest and largest numbers, one, and the codes for NaN.
  it.each<[Dtype, Record<number, number>]>([
    [
      'F8_E4M3',
      {
        0: 0,
        1: 2 ** -9,
        8: 2 ** -6,
        56: 1,
        57: 1.125,
        126: 448,
        127: Number.NaN,
        128: -0,
        254: -448,
        255: Number.NaN,
      },
    ],
    [
      'F8_E4M3FNUZ',
      { 0: 0, 1: 2 ** -10, 8: 2 ** -7, 64: 1, 65: 1.125, 127: 240, 128: Number.NaN, 255: -240 },
    ],
    [
      'F8_E5M2FNUZ',
      { 0: 0, 1: 2 ** -17, 4: 2 ** -15, 64: 1, 65: 1.25, 127: 57344, 128: Number.NaN, 255: -57344 },
    ],
    ['F8_E8M0', { 0: 2 ** -127, 1: 2 ** -126, 127: 1, 128: 2, 254: 2 ** 127, 255: Number.NaN }],
  ])('knows the landmarks of %s', (dtype, landmarks) => {
    const values = toFloat32(tensor(dtype, allBytes));
    for (const [code, value] of Object.entries(landmarks)) expect(values[Number(code)]).toBe(value);
    expect(values.filter(Number.isNaN).length).toBe(Object.values(landmarks).filter(Number.isNaN).length);
    expect(values.some((value) => Math.abs(value) === Infinity)).toBe(false);
  });

  it('reads whole numbers and booleans', () => {
    expect(toFloat32(tensor('BOOL', Uint8Array.of(0, 1, 2)))).toEqual(Float32Array.of(0, 1, 1));
    expect(toFloat32(tensor('U8', Uint8Array.of(0, 255)))).toEqual(Float32Array.of(0, 255));
    expect(toFloat32(tensor('I8', Int8Array.of(-128, 127)))).toEqual(Float32Array.of(-128, 127));
    expect(toFloat32(tensor('U16', Uint16Array.of(0, 65535)))).toEqual(Float32Array.of(0, 65535));
    expect(toFloat32(tensor('I16', Int16Array.of(-32768, 3)))).toEqual(Float32Array.of(-32768, 3));
    expect(toFloat32(tensor('U32', Uint32Array.of(1, 4294967040)))).toEqual(Float32Array.of(1, 4294967040));
    expect(toFloat32(tensor('I32', Int32Array.of(-(2 ** 31), 3)))).toEqual(Float32Array.of(-(2 ** 31), 3));
    expect(toFloat32(tensor('I64', BigInt64Array.of(-5n, 2n ** 40n)))).toEqual(Float32Array.of(-5, 2 ** 40));
    expect(toFloat32(tensor('U64', BigUint64Array.of(5n, 2n ** 63n)))).toEqual(Float32Array.of(5, 2 ** 63));
  });

  it('rounds what is wider than float32', () => {
    expect(toFloat32(tensor('F64', Float64Array.of(0.1, 1e300, -0, Number.NaN)))).toEqual(
      Float32Array.of(0.1, Infinity, -0, Number.NaN),
    );
    expect(toFloat32(tensor('I32', Int32Array.of(2 ** 24 + 1)))).toEqual(Float32Array.of(2 ** 24));
  });

  it('reads float32 in place, or from an odd address through a copy', () => {
    const values = Float32Array.of(1, -2.5, 3e-40);
    expect(toFloat32(tensor('F32', values)).buffer).toBe(values.buffer);
    const shifted = new Uint8Array(13);
    shifted.set(new Uint8Array(values.buffer), 1);
    const odd = { dtype: 'F32', shape: [3], data: shifted.subarray(1) } as const;
    expect(toFloat32(odd)).toEqual(values);
  });

  it('refuses exactly the types that have no float32 values here', () => {
    const refused = DTYPES.filter((dtype) => !hasFloat32(dtype));
    expect(refused).toEqual(['F4', 'F6_E2M3', 'F6_E3M2', 'C64']);
    for (const dtype of refused)
      expect(() => toFloat32(tensor(dtype, new Uint8Array(24)))).toThrow(CheckpointError);
  });
});

describe('toInt32', () => {
  it('reads whole numbers exactly', () => {
    expect(toInt32(tensor('BOOL', Uint8Array.of(0, 1, 9)))).toEqual(Int32Array.of(0, 1, 1));
    expect(toInt32(tensor('U8', Uint8Array.of(255)))).toEqual(Int32Array.of(255));
    expect(toInt32(tensor('I8', Int8Array.of(-1)))).toEqual(Int32Array.of(-1));
    expect(toInt32(tensor('U16', Uint16Array.of(65535)))).toEqual(Int32Array.of(65535));
    expect(toInt32(tensor('I16', Int16Array.of(-1)))).toEqual(Int32Array.of(-1));
    expect(toInt32(tensor('I32', Int32Array.of(-(2 ** 31))))).toEqual(Int32Array.of(-(2 ** 31)));
    expect(toInt32(tensor('U32', Uint32Array.of(2 ** 31 - 1)))).toEqual(Int32Array.of(2 ** 31 - 1));
    expect(toInt32(tensor('I64', BigInt64Array.of(-7n, 7n)))).toEqual(Int32Array.of(-7, 7));
    expect(toInt32(tensor('U64', BigUint64Array.of(7n)))).toEqual(Int32Array.of(7));
  });

  it.each([
    ['a large U32', tensor('U32', Uint32Array.of(0, 2 ** 31))],
    ['a large I64', tensor('I64', BigInt64Array.of(0n, -(2n ** 31n) - 1n))],
    ['a huge U64', tensor('U64', BigUint64Array.of(0n, 2n ** 64n - 1n))],
  ])('refuses %s and says where', (_, values) => {
    expect(() => toInt32(values)).toThrow(/int32 values in .*\[2\], got -?\d+ at index 1/);
  });

  it('refuses floats', () => {
    expect(() => toInt32(tensor('F32', Float32Array.of(1)))).toThrow(/expected integers, got F32\[1\]/);
  });
});
