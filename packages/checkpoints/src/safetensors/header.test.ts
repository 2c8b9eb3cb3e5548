import { CheckpointError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { type ByteSource, bufferSource } from '../source';
import { rawFile } from './fixtures';
import { readHeader } from './header';

const read = (header: string | Uint8Array, dataLength: number) =>
  readHeader(bufferSource(rawFile(header, dataLength), 'file'));

const tensor = (dtype: string, shape: string, begin: number | string, end: number | string) =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

describe('readHeader', () => {
  it('gives tensors in the order of the file, with their place in it', async () => {
    const json = `{"b":${tensor('F32', '[2]', 2, 10)},"__metadata__":{"format":"pt","__proto__":"x"},"a":${tensor('BF16', '[]', 0, 2)}}`;
    const { metadata, tensors } = await read(json, 10);
    const start = 8 + json.length;
    expect([...tensors]).toEqual([
      ['a', { dtype: 'BF16', shape: [], start, end: start + 2 }],
      ['b', { dtype: 'F32', shape: [2], start: start + 2, end: start + 10 }],
    ]);
    expect(Object.entries(metadata)).toEqual([
      ['format', 'pt'],
      ['__proto__', 'x'],
    ]);
  });

  // What the reference library's own tests accept.
  it.each([
    ['nothing', '{}', 0],
    ['padding', '{}\r \t\n', 0],
    ['metadata alone', '{"__metadata__":{"framework":"pt"}}', 0],
    ['null metadata', '{"__metadata__":null}', 0],
    [
      'empty tensors at one place',
      `{"a":${tensor('I32', '[2,0]', 0, 0)},"b":${tensor('F32', '[0]', 0, 0)}}`,
      0,
    ],
    [
      'an empty tensor before another',
      `{"z":${tensor('I32', '[1]', 0, 4)},"a":${tensor('I32', '[0]', 0, 0)}}`,
      4,
    ],
    [
      'fields it does not know',
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":[{"x":1.5}]}}',
      1,
    ],
    ['two elements in a byte', `{"a":${tensor('F4', '[2]', 0, 1)}}`, 1],
    ['names without ASCII', `{"é\\u00e9😀":${tensor('U8', '[1]', 0, 1)}}`, 1],
  ])('accepts %s', async (_, json, dataLength) => {
    await expect(read(json, dataLength)).resolves.toBeDefined();
  });

  it.each<[what: string, json: string, dataLength: number, message: RegExp]>([
    ['no header', '', 0, /begins with '\{'/],
    ['another start', ' {}', 0, /begins with '\{'/],
    ['a list', '[]', 0, /begins with '\{'/],
    ['a byte order mark', '\ufeff{}', 0, /begins with '\{'/],
    ['a cut header', '{"a":', 0, /a JSON value/],
    ['a NUL as padding', '{}\0', 0, /end of the JSON/],
    [
      'a tensor twice',
      `{"a":${tensor('U8', '[1]', 0, 1)},"a":${tensor('U8', '[1]', 1, 2)}}`,
      2,
      /each key once/,
    ],
    [
      'a field twice',
      '{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      1,
      /each key once/,
    ],
    ['a metadata key twice', '{"__metadata__":{"a":"1","a":"2"}}', 0, /each key once/],
    ['metadata that is text', '{"__metadata__":"x"}', 0, /an object as __metadata__/],
    ['metadata that is a number', '{"__metadata__":{"a":1}}', 0, /text under __metadata__/],
    ['a tensor that is null', '{"a":null}', 0, /an object for tensor "a"/],
    ['no dtype', '{"a":{"shape":[1],"data_offsets":[0,1]}}', 1, /known dtype.*no text/],
    ['an unknown dtype', `{"a":${tensor('F31', '[1]', 0, 4)}}`, 4, /known dtype.*"F31"/],
    ['an inherited dtype', `{"a":${tensor('toString', '[1]', 0, 4)}}`, 4, /known dtype/],
    ['no shape', '{"a":{"dtype":"U8","data_offsets":[0,1]}}', 1, /a shape/],
    ['a negative size', `{"a":${tensor('U8', '[-1]', 0, 1)}}`, 1, /a shape/],
    ['a fraction', `{"a":${tensor('U8', '[1.0]', 0, 1)}}`, 1, /a shape/],
    ['an exponent', `{"a":${tensor('U8', '[1e0]', 0, 1)}}`, 1, /a shape/],
    ['a size in quotes', `{"a":${tensor('U8', '["1"]', 0, 1)}}`, 1, /a shape/],
    ['a size beyond 2^53', `{"a":${tensor('U8', '[9007199254740993]', 0, 1)}}`, 1, /a shape/],
    ['an overflowing product', `{"a":${tensor('U8', '[4294967296,4294967296]', 0, 1)}}`, 1, /countable/],
    [
      'an overflow hidden by zero',
      `{"a":${tensor('U8', '[4294967296,4294967296,0]', 0, 0)}}`,
      0,
      /countable/,
    ],
    ['half a byte', `{"a":${tensor('F4', '[3]', 0, 2)}}`, 2, /whole number of bytes/],
    ['one offset', '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}', 1, /two data_offsets/],
    ['three offsets', '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}', 1, /two data_offsets/],
    ['offsets the wrong way round', `{"a":${tensor('U8', '[1]', 1, 0)}}`, 1, /1 bytes as U8/],
    ['too few bytes', `{"a":${tensor('F32', '[2]', 0, 4)}}`, 4, /8 bytes as F32\[2\].*\[0, 4\]/],
    ['too many bytes', `{"a":${tensor('F32', '[2]', 0, 12)}}`, 12, /8 bytes as F32\[2\]/],
    [
      'an overlap',
      `{"a":${tensor('U8', '[2]', 0, 2)},"b":${tensor('U8', '[2]', 1, 3)}}`,
      3,
      /an overlap at "b"/,
    ],
    [
      'one inside another',
      `{"a":${tensor('U8', '[4]', 0, 4)},"b":${tensor('U8', '[0]', 2, 2)}}`,
      4,
      /an overlap at "b"/,
    ],
    ['a hole', `{"a":${tensor('U8', '[1]', 0, 1)},"b":${tensor('U8', '[1]', 2, 3)}}`, 3, /a hole at "b"/],
    ['a hole in front', `{"a":${tensor('U8', '[1]', 1, 2)}}`, 2, /a hole at "a"/],
    ['bytes at the end', `{"a":${tensor('U8', '[1]', 0, 1)}}`, 2, /up to the end of the file/],
    ['data without a tensor', '{}', 1, /up to the end of the file/],
    ['offsets outside', `{"a":${tensor('U8', '[2]', 0, 2)}}`, 1, /the end of the file at "a".*truncated/],
  ])('refuses %s', async (_, json, dataLength, message) => {
    const error = await read(json, dataLength).catch((error: unknown) => error);
    expect(CheckpointError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({ component: 'file', message: expect.stringMatching(message) });
  });

  it.each([
    ['a byte that starts no character', [0xff]],
    ['a character that is cut', [0xc3]],
    ['an encoded surrogate', [0xed, 0xa0, 0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
  ])('refuses %s', async (_, bytes) => {
    const json = new Uint8Array([
      ...new TextEncoder().encode('{"'),
      ...bytes,
      ...new TextEncoder().encode('":1}'),
    ]);
    await expect(read(json, 0)).rejects.toThrow(/in UTF-8/);
  });

  it.each([
    ['nothing', 0],
    ['less than the length', 7],
  ])('refuses a file with %s', async (_, size) => {
    await expect(readHeader(bufferSource(new Uint8Array(size)))).rejects.toThrow(/a safetensors file/);
  });

  it('refuses a length beyond the file before it reads that much', async () => {
    const file = rawFile('{}', 0);
    for (const length of [3n, 2n ** 31n, 2n ** 53n + 1n, 2n ** 64n - 1n]) {
      new DataView(file.buffer).setBigUint64(0, length, true);
      await expect(readHeader(bufferSource(file))).rejects.toThrow(/at most 2 bytes.*truncated/);
    }
  });

  it('refuses a header above 100 MB, however large the file', async () => {
    const prefix = new Uint8Array(8);
    new DataView(prefix.buffer).setBigUint64(0, 100_000_001n, true);
    const reads: number[] = [];
    const source: ByteSource = {
      name: 'huge',
      size: 2 ** 40,
      read: async (start, end) => {
        reads.push(end);
        return prefix.subarray(start, end);
      },
    };
    await expect(readHeader(source)).rejects.toThrow(/at most 100000000 bytes/);
    expect(reads).toEqual([8]);
  });
});
