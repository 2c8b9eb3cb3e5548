import { CheckpointError } from '@mmllm/core';
import { describe, expect, it, vi } from 'vitest';
import { type ByteSource, blobSource, bufferSource } from '../source';
import { openSafetensors } from './file';
import { readCase } from './fixtures';
import { toFloat32 } from './widen';

const CASE = 'patch-linear/p16-48px/golden.safetensors';

/** A buffer that keeps a list of the ranges that were read, and can be closed. */
function watched(bytes: Uint8Array) {
  const inner = bufferSource(bytes, 'watched');
  const ranges: [number, number][] = [];
  const close = vi.fn(async () => {});
  const source: ByteSource = {
    ...inner,
    read: (start, end, options) => {
      ranges.push([start, end]);
      return inner.read(start, end, options);
    },
    close,
  };
  return { source, ranges, close };
}

describe('openSafetensors', () => {
  it('reads the header alone, then tensor by tensor', async () => {
    const bytes = readCase(CASE);
    const { source, ranges, close } = watched(bytes);
    const file = await openSafetensors(source);
    expect([...file.tensors.keys()]).toEqual(['bias', 'in.pixels', 'out.tokens', 'weight']);
    expect(ranges).toEqual([
      [0, 8],
      [8, 296],
    ]);

    const bias = await file.read('bias');
    expect(bias).toMatchObject({ dtype: 'F32', shape: [24] });
    expect(toFloat32(bias)).toEqual(new Float32Array(bytes.slice(296, 392).buffer));
    expect(ranges.slice(2)).toEqual([[296, 392]]);

    await file.close();
    expect(close).toHaveBeenCalledOnce();
  });

  it('reads the same from a blob', async () => {
    const bytes = readCase(CASE);
    const fromBuffer = await openSafetensors(bufferSource(bytes));
    const fromBlob = await openSafetensors(blobSource(new File([bytes], 'a.safetensors')));
    expect(fromBlob.name).toBe('a.safetensors');
    for (const name of fromBuffer.tensors.keys()) {
      const [read, expected] = [await fromBlob.read(name), await fromBuffer.read(name)];
      expect({ ...read, data: 0 }).toEqual({ ...expected, data: 0 });
      expect(Buffer.compare(read.data, expected.data)).toBe(0);
    }
  });

  it('names the nearest tensor to one that is not there', async () => {
    const file = await openSafetensors(bufferSource(readCase(CASE), 'golden'));
    await expect(file.read('in.pixel')).rejects.toThrow(
      'golden: expected the name of a tensor in the file, got "in.pixel". Did you mean "in.pixels"?',
    );
    await expect(file.read('toString')).rejects.toThrow(CheckpointError);
  });

  it('refuses a file cut at any tensor, in the header, or by a byte', async () => {
    const bytes = readCase(CASE);
    for (const size of [0, 4, 8, 100, 296, 392, 28_904, bytes.length - 1]) {
      await expect(openSafetensors(bufferSource(bytes.subarray(0, size)))).rejects.toThrow(CheckpointError);
    }
  });

  it('refuses a source that gives less than it promised', async () => {
    const bytes = readCase(CASE);
    const source: ByteSource = {
      ...bufferSource(bytes, 'short'),
      read: async (start, end) => bytes.subarray(start, Math.min(end, 500)),
    };
    const file = await openSafetensors(source);
    await expect(file.read('bias')).resolves.toBeDefined();
    await expect(file.read('weight')).rejects.toThrow(/short: expected 73728 bytes from 28904, got 0/);
  });

  it('closes the source of a file that it refuses', async () => {
    const { source, close } = watched(new Uint8Array(20));
    await expect(openSafetensors(source)).rejects.toThrow(CheckpointError);
    expect(close).toHaveBeenCalledOnce();
  });

  it('stops at an abort', async () => {
    const bytes = readCase(CASE);
    const signal = AbortSignal.abort(new Error('enough'));
    for (const source of [bufferSource(bytes), blobSource(new Blob([bytes]))]) {
      await expect(openSafetensors(source, { signal })).rejects.toThrow('enough');
      const file = await openSafetensors(source);
      await expect(file.read('bias', { signal })).rejects.toThrow('enough');
    }
  });
});

describe('sources', () => {
  it.each([
    [-1, 2],
    [2, 1],
    [0, 5],
    [0.5, 1],
    [0, Number.NaN],
  ])('refuse the range %d to %d', async (start, end) => {
    for (const source of [bufferSource(new ArrayBuffer(4)), blobSource(new Blob(['abcd']))]) {
      await expect(source.read(start, end)).rejects.toThrow(CheckpointError);
    }
  });
});
