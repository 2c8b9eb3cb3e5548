import { CheckpointError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../source';
import { openGguf } from './file';
import { pack, type RawFile, rawGguf, readFixture, TYPE } from './fixtures';
import { ggufTokenizer } from './tokenizer';

const open = (bytes: Uint8Array) => openGguf(bufferSource(bytes, 'tiny.gguf'));

async function refusal(bytes: Uint8Array): Promise<string> {
  const error = await open(bytes).catch((error: unknown) => error);
  if (!CheckpointError.isInstance(error)) throw new Error('not refused', { cause: error });
  expect(error.message.length).toBeLessThan(500);
  return error.message;
}

/** `F32[4]` at the start of the data, which is 16 bytes. */
const tensor = (name = 'a', { type = 0, size = 4n, offset = 0n } = {}) => pack(name, 1, size, type, offset);
const valid: RawFile = { tensors: [tensor()], data: 16 };

describe('openGguf', () => {
  it('reads metadata of every type', async () => {
    const { metadata, architecture } = await open(readFixture('types.gguf'));
    const values = Object.fromEntries([...metadata].map(([key, { value }]) => [key, value]));
    expect(values).toEqual({
      'general.architecture': 'test',
      'test.uint8': 200,
      'test.int8': -100,
      'test.uint16': 60_000,
      'test.int16': -30_000,
      'test.uint32': 4_000_000_000,
      'test.int32': -2_000_000_000,
      'test.float32': 0.5,
      'test.bool': true,
      'test.string': 'Grüße',
      'test.uint64': 2n ** 63n,
      'test.int64': -5,
      'test.float64': 1e300,
      'test.texts': ['a', '', 'déjà'],
      'test.numbers': [1, 2, 3],
    });
    expect(architecture).toBe('test');
    expect(metadata.get('test.int16')?.type).toBe('INT16');
    expect(metadata.get('test.texts')).toMatchObject({ type: 'ARRAY', itemType: 'STRING' });
  });

  it('gives hyperparameters and tokenizer', async () => {
    const file = await open(readFixture('llama.gguf'));
    expect(file.hyperparameters).toMatchObject({ block_count: 2, 'attention.head_count_kv': 2 });
    const tokenizer = ggufTokenizer(file);
    expect(tokenizer).toMatchObject({ model: 'gpt2', pre: 'smollm', bosTokenId: 1, merges: ['< 0', '0 >'] });
    expect(tokenizer?.tokens).toHaveLength(120);
    expect(tokenizer?.tokenTypes).toHaveLength(120);
    expect(ggufTokenizer(await open(readFixture('types.gguf')))).toBeUndefined();
  });

  // Two million bytes are what the parser asks for at a time.
  it.each([
    ['that ends shortly before one does', 1, 700_000],
    ['whose text runs across the end of one', 1, 1_300_000],
    ['whose longest text begins at the end of one', 2, 1_500_000],
    ['of several portions', 7, 700_000],
  ])('reads a header %s', async (_, fillers, length) => {
    const filler = (i: number) =>
      pack(`filler.${i}`, TYPE.ARRAY, TYPE.UINT8, 900_000n, new Uint8Array(900_000).fill(i));
    const texts = ['first', 'x'.repeat(length)];
    const words = pack('words', TYPE.ARRAY, TYPE.STRING, 2n, ...texts);
    const entries = [...Array.from({ length: fillers }, (_, i) => filler(i)), words];
    const file = await open(rawGguf({ entries: [...entries, pack('end', TYPE.STRING, 'é')], ...valid }));
    const numbers = file.metadata.get(`filler.${fillers - 1}`)?.value;
    expect(numbers).toHaveLength(900_000);
    expect((numbers as number[]).every((number) => number === fillers - 1)).toBe(true);
    expect(file.metadata.get('words')?.value).toEqual(texts);
    expect(file.metadata.get('end')?.value).toBe('é');
    expect((await file.read('a')).data).toHaveLength(16);
  });

  it('reads a scalar, an empty tensor and another alignment, and lets bytes at the end pass', async () => {
    const entries = [pack('general.alignment', TYPE.UINT32, 8)];
    const scalar = pack('scalar', 0, 0, 0n);
    const file = await open(
      rawGguf({ entries, tensors: [scalar, tensor('none', { size: 0n, offset: 8n })], data: 64 }),
    );
    expect(file.tensors.get('scalar')?.shape).toEqual([]);
    expect((await file.read('none')).data).toHaveLength(0);
  });

  it('closes the source when it refuses', async () => {
    let closed = 0;
    const source = { ...bufferSource(new Uint8Array(4)), close: async () => void closed++ };
    await expect(openGguf(source)).rejects.toThrow(CheckpointError);
    expect(closed).toBe(1);
  });

  it('names the tensor that was meant', async () => {
    const file = await open(readFixture('llama.gguf'));
    await expect(file.read('token_embed.weight')).rejects.toThrow('"token_embd.weight"');
  });

  const entry = (...value: (number | bigint | string)[]) => ({ ...valid, entries: [pack('key', ...value)] });

  it.each<[string, RawFile, message: string]>([
    ['version 1', { ...valid, version: 1 }, 'version 2 or 3 at byte 8'],
    ['big-endian numbers', { ...valid, version: 3 << 24 }, 'version 2 or 3'],
    ['a type of entry that is unknown', entry(13, 0), 'type of entry'],
    ['a text longer than the file', entry(TYPE.STRING, 2n ** 63n), 'for which there is room'],
    [
      'a text of 1.6 MB',
      { ...valid, entries: [pack('key', TYPE.STRING, 'x'.repeat(1_600_000))] },
      '1500000 bytes',
    ],
    ['an array longer than the file', entry(TYPE.ARRAY, TYPE.UINT32, 2n ** 62n), 'there is room'],
    [
      'arrays in arrays in arrays',
      entry(TYPE.ARRAY, ...[1, 2, 3, 4, 5].flatMap(() => [TYPE.ARRAY, 1n])),
      'levels',
    ],
    [
      'a key twice',
      { ...valid, entries: [pack('key', TYPE.UINT32, 1), pack('key', TYPE.UINT32, 1)] },
      'twice',
    ],
    ['__proto__', { ...valid, entries: [pack('__proto__', TYPE.UINT32, 1)] }, '"__proto__"'],
    ['a key of the parser', { ...valid, entries: [pack('version', TYPE.UINT32, 1)] }, '"version"'],
    ['a key that is no text', { ...valid, entries: [pack(1n, Uint8Array.of(255), TYPE.UINT32, 1)] }, 'UTF-8'],
    ['an alignment of 3', { ...valid, entries: [pack('general.alignment', TYPE.UINT32, 3)] }, 'alignment'],
    ['an alignment of 0', { ...valid, entries: [pack('general.alignment', TYPE.UINT32, 0)] }, 'alignment'],
    ['an alignment as text', { ...valid, entries: [pack('general.alignment', TYPE.STRING, '32')] }, 'STRING'],
    [
      'an architecture as number',
      { ...valid, entries: [pack('general.architecture', TYPE.UINT32, 1)] },
      'UINT32',
    ],
    ['a tensor twice', { tensors: [tensor(), tensor('a', { offset: 32n })], data: 64 }, '"a" twice'],
    ['a long name', { ...valid, tensors: [tensor('a'.repeat(64))] }, 'at most 63 bytes'],
    ['five axes', { ...valid, tensors: [pack('a', 5, 1n, 1n, 1n, 1n, 1n, 0, 0n)] }, 'at most 4 axes'],
    ['a type that is unknown', { ...valid, tensors: [tensor('a', { type: 999 })] }, 'got 999'],
    ['a type that we do not read', { ...valid, tensors: [tensor('a', { type: 10 })] }, 'got Q2_K'],
    ['a huge size', { ...valid, tensors: [tensor('a', { size: 2n ** 63n })] }, 'exceeds'],
    ['a size beyond the file', { ...valid, tensors: [tensor('a', { size: 5n })] }, 'an end within'],
    [
      'a product beyond the file',
      { ...valid, tensors: [pack('a', 2, 2n ** 31n, 2n ** 31n, 0, 0n)] },
      'whole blocks',
    ],
    ['rows of half a block', { ...valid, tensors: [tensor('a', { type: 8, size: 16n })] }, 'Q8_0[16]'],
    ['a hole', { ...valid, tensors: [tensor('a', { offset: 32n })], data: 64 }, 'offset 0'],
    ['an overlap', { tensors: [tensor(), tensor('b')], data: 64 }, 'offset 32'],
  ])('refuses %s', async (_, raw, message) => {
    expect(await refusal(rawGguf(raw))).toContain(message);
  });

  it('refuses a file cut anywhere in its header, and counts beyond its size', async () => {
    const bytes = rawGguf(valid);
    for (let length = 0; length < 70; length++) await refusal(bytes.slice(0, length));
    for (const at of [8, 16]) {
      for (const count of [3n, 1000n, 2n ** 32n, 2n ** 64n - 1n]) {
        const damaged = bytes.slice();
        new DataView(damaged.buffer).setBigUint64(at, count, true);
        await refusal(damaged);
      }
    }
  });
});
