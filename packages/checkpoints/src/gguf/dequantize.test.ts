import { describe, expect, it } from 'vitest';
import { openSafetensors } from '../safetensors/file';
import { toFloat32 } from '../safetensors/widen';
import { bufferSource } from '../source';
import { dequantize } from './dequantize';
import { openGguf } from './file';
import { readFixture } from './fixtures';
import { blockOf, GGUF_TYPES } from './types';

const bits = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);

describe('dequantize', async () => {
  const file = await openGguf(bufferSource(readFixture('types.gguf'), 'types.gguf'));
  const golden = await openSafetensors(bufferSource(readFixture('types.safetensors')));

  it.each(GGUF_TYPES)('%s has the bits that ggml gives', async (type) => {
    const tensor = await file.read(type);
    expect(tensor.type).toBe(type);
    expect(tensor.shape).toEqual([3, 2, 512]);
    const expected = toFloat32(await golden.read(type));
    expect(expected.length).toBe(3 * 2 * 512);
    expect(bits(dequantize(tensor))).toEqual(bits(expected));
  });

  it.each(GGUF_TYPES)('%s depends on every byte of a block', async (type) => {
    const { shape, data } = await file.read(type);
    // A block in the middle, whose scales are no special values.
    const { bytes } = blockOf(type);
    const start = Math.floor(data.length / bytes / 2) * bytes;
    const block = { type, shape, data: data.slice(start, start + bytes) };
    const values = bits(dequantize(block));
    for (let i = 0; i < bytes; i++) {
      const damaged = block.data.slice();
      damaged[i]! ^= 0x11;
      expect(bits(dequantize({ ...block, data: damaged })), `byte ${i}`).not.toEqual(values);
    }
  });

  it('keeps the raw blocks of a type at hand', async () => {
    const { data } = await file.read('Q4_1');
    expect(data.byteLength).toBe((3 * 2 * 512 * 20) / 32);
    const { start, end } = file.span('Q4_1');
    expect(data).toEqual(readFixture('types.gguf').subarray(start, end));
  });
});
