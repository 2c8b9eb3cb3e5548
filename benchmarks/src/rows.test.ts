import { describe, expect, it } from 'vitest';
import { GPU_ROWS, ROWS, selectRows } from './rows.ts';

const namesOf = (names?: readonly string[]) => selectRows(ROWS, names).map(({ name }) => name);

describe('rows', () => {
  it('are those that must be reached', () => {
    expect(ROWS.map(({ name, goal }) => `${name} ${goal}`)).toMatchInlineSnapshot(`
      [
        "matmul-nn 1.65",
        "matmul-nt 1.65",
        "matmul-tn 1.65",
        "matmul-threads 1.8",
        "attention 8",
        "vit-b32-1 1.35",
        "vit-b32-8 1.35",
        "siglip-b16-1 1.35",
        "vit-b32-stock 3.5",
        "train-stock 10",
        "train-transposing 2.2",
        "train-torch-1 0.38",
        "train-torch-2 0.38",
        "train-projector 1.7",
        "train-projector-cached 2.2",
        "decode-f32 1.2",
        "decode-bf16 1.6",
        "decode-q8 2.8",
        "decode-q4 4",
        "generate-f32 1.2",
        "generate-q8 1.5",
        "first-token 1.3",
        "generate-memory 2.5",
        "train-memory 0.8",
        "load-f32 0.6",
        "load-bf16 0.6",
        "load-bf16-widened 0.6",
        "load-memory-f32 0.77",
        "load-memory-bf16 0.77",
        "preprocess-jpeg 0.77",
        "tokenize-clip 0.67",
        "tokenize-smollm2 0.67",
      ]
    `);
  });

  it('have names of their own', () => {
    for (const rows of [ROWS, GPU_ROWS]) {
      expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
    }
  });

  it('compare equal threads, but where one side has no use for them', () => {
    const unequal = ROWS.filter(({ matches }) =>
      matches.some(({ ours, peers }) => peers.some(({ threads }) => threads !== ours.threads)),
    );
    expect(unequal.map(({ name }) => name)).toEqual(['matmul-threads', 'vit-b32-stock']);
  });
});

describe('selectRows', () => {
  it('takes all without names', () => expect(selectRows(ROWS, undefined)).toBe(ROWS));

  it('takes a whole name before the beginning of others', () => {
    expect(namesOf(['train-projector'])).toEqual(['train-projector']);
    expect(namesOf(['train-torch'])).toEqual(['train-torch-1', 'train-torch-2']);
  });

  it('keeps the order of the table', () => {
    expect(namesOf(['attention', 'matmul-nn'])).toEqual(['matmul-nn', 'attention']);
  });

  it('refuses a name that is none', () => {
    expect(() => namesOf(['attentions'])).toThrow("got 'attentions'");
  });
});
