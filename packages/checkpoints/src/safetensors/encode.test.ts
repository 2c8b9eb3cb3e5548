import { CheckpointError, random } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../source';
import { byteLength, DTYPES, type Dtype, type TensorData } from './dtype';
import { encodeSafetensors, type LazyTensor, streamSafetensors, type TensorInput } from './encode';
import { openSafetensors } from './file';
import { CASE_FILES, readCase } from './fixtures';

/** All of a file, in an order that differs from the file's. */
async function readAll(bytes: Uint8Array) {
  const file = await openSafetensors(bufferSource(bytes));
  const tensors: [string, TensorData][] = [];
  for (const name of [...file.tensors.keys()].reverse()) tensors.push([name, await file.read(name)]);
  const metadata = Object.keys(file.metadata).length > 0 ? file.metadata : undefined;
  return { tensors, metadata };
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const result: Uint8Array[] = [];
  for await (const chunk of chunks) result.push(chunk);
  return result;
}

const lazy = ([name, { dtype, shape, data }]: readonly [string, TensorInput]): [string, LazyTensor] => [
  name,
  { dtype, shape, read: async () => data },
];

const scalar = (dtype: Dtype, ...bytes: number[]): TensorInput => ({
  dtype,
  shape: [],
  data: new Uint8Array(bytes),
});

describe('encodeSafetensors', () => {
  it.each(CASE_FILES)('writes %s byte for byte as the reference library did', async (path) => {
    const bytes = readCase(path);
    const { tensors, metadata } = await readAll(bytes);
    expect(Buffer.compare(encodeSafetensors(tensors, metadata), bytes)).toBe(0);
  });

  it('reads back what it wrote, in every dtype', async () => {
    const draw = random('dtypes');
    const tensors = DTYPES.flatMap((dtype, index) =>
      [[], [8], [0, 3], [2, 4, index]].flatMap((shape): [string, TensorInput][] => {
        const size = byteLength({ dtype, shape });
        if (size === undefined) return [];
        const data = Uint8Array.from({ length: size }, () => draw.integer(256));
        return [[`${dtype}.${shape.join('x')}`, { dtype, shape, data }]];
      }),
    );
    const bytes = encodeSafetensors(tensors, { b: '"\\\n', a: 'é😀', '10': 'x', '9': 'y' });
    const read = await readAll(bytes);
    expect(new Map(read.tensors)).toEqual(new Map(tensors));
    expect(read.metadata).toEqual({ b: '"\\\n', a: 'é😀', '10': 'x', '9': 'y' });
    expect(encodeSafetensors(tensors.reverse(), { '9': 'y', a: 'é😀', b: '"\\\n', '10': 'x' })).toEqual(
      bytes,
    );
  });

  it('starts the data at a multiple of eight and puts wide types first', async () => {
    const names = ['10', '9', 'é', '\ufffd', '😀', '__proto__'];
    const tensors = names.flatMap((name): [string, TensorInput][] => [
      [`${name}/byte`, scalar('U8', 1)],
      [`${name}/double`, scalar('F64', 1, 2, 3, 4, 5, 6, 7, 8)],
    ]);
    const file = await openSafetensors(bufferSource(encodeSafetensors(tensors)));
    // Sorted by code points, which is not the order of JavaScript's `<` for the last two.
    const sorted = ['10', '9', '__proto__', 'é', '\ufffd', '😀'];
    expect([...file.tensors.keys()]).toEqual([
      ...sorted.map((n) => `${n}/double`),
      ...sorted.map((n) => `${n}/byte`),
    ]);
    for (const { start, dtype } of file.tensors.values()) expect(start % (dtype === 'F64' ? 8 : 1)).toBe(0);
  });

  it('writes a file without tensors', () => {
    expect(new TextDecoder().decode(encodeSafetensors([]))).toBe('\b\0\0\0\0\0\0\0{}      ');
  });

  it('takes the bytes of a view, not of the buffer below it', async () => {
    const values = Float32Array.of(0, 1, 2, 3, 4).subarray(1, 4);
    const { tensors } = await readAll(encodeSafetensors([['a', { dtype: 'F32', shape: [3], data: values }]]));
    expect(new Float32Array(new Uint8Array(tensors[0]![1].data).buffer)).toEqual(Float32Array.of(1, 2, 3));
  });

  const f32 = (data: ArrayBufferView, shape = [2]): TensorInput => ({ dtype: 'F32', shape, data });
  it.each<[what: string, tensors: [string, TensorInput][], metadata?: Record<string, string>]>([
    [
      'a name twice',
      [
        ['a', f32(new Float32Array(2))],
        ['a', f32(new Float32Array(2))],
      ],
    ],
    ['the reserved name', [['__metadata__', f32(new Float32Array(2))]]],
    ['a name without UTF-8', [['\ud800', f32(new Float32Array(2))]]],
    ['metadata without UTF-8', [], { a: '\udc00' }],
    ['too few values', [['a', f32(new Float32Array(1))]]],
    ['too many values', [['a', f32(new Float32Array(3))]]],
    ['values of another type', [['a', f32(new Int32Array(2))]]],
    ['doubles', [['a', f32(new Float64Array(1))]]],
    ['a negative size', [['a', f32(new Float32Array(2), [-1, -2])]]],
    ['a broken size', [['a', f32(new Float32Array(1), [0.5, 2])]]],
    ['half a byte', [['a', { dtype: 'F4', shape: [3], data: new Uint8Array(1) }]]],
  ])('refuses %s', async (_, tensors, metadata) => {
    expect(() => encodeSafetensors(tensors, metadata)).toThrow(CheckpointError);
    await expect(collect(streamSafetensors(tensors.map(lazy), { metadata }))).rejects.toThrow(
      CheckpointError,
    );
  });
});

describe('streamSafetensors', () => {
  it.each(CASE_FILES)('gives the bytes of %s', async (path) => {
    const bytes = readCase(path);
    const { tensors, metadata } = await readAll(bytes);
    const chunks = await collect(streamSafetensors(tensors.map(lazy), { metadata }));
    expect(Buffer.compare(Buffer.concat(chunks), bytes)).toBe(0);
  });

  it('fetches each tensor when its turn comes, and none after an abort', async () => {
    const fetched: string[] = [];
    const tensors = ['a', 'b', 'c'].map((name): [string, LazyTensor] => [
      name,
      {
        dtype: 'F32',
        shape: [1],
        read: async () => {
          fetched.push(name);
          return new Float32Array(1);
        },
      },
    ]);
    const controller = new AbortController();
    const stream = streamSafetensors(tensors, { signal: controller.signal });
    await stream.next();
    expect(fetched).toEqual([]);
    await stream.next();
    expect(fetched).toEqual(['a']);
    controller.abort(new Error('enough'));
    await expect(stream.next()).rejects.toThrow('enough');
    expect(fetched).toEqual(['a']);
  });
});
