import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import {
  ConfigError,
  ContextLengthError,
  type DecoderInputs,
  type LayerInjection,
  ShapeError,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textInputs } from '../testing/inputs';
import { tinyLlama } from '../testing/tiny';

await startBackend({ backend: 'wasm' });
const decoder = tinyLlama();
const rows = [
  [3, 1, 4, 1, 5, 9],
  [2, 6, 5, 3],
];
let inputs: DecoderInputs;

beforeAll(() => {
  inputs = textInputs(decoder, rows);
});

afterAll(() => {
  inputs.embeddings.dispose();
  decoder.dispose();
});

describe('forward', () => {
  it('does not let padding on either side into the real tokens', async () => {
    const [, short] = rows;
    const alone = textInputs(decoder, [short]);
    const padded = textInputs(decoder, [[...short, 8, 8]]);
    const end = Int32Array.of(short.length);
    const [expected, left, right] = tf.tidy(() => [
      decoder.forward(alone).hidden,
      tf.slice(decoder.forward(inputs).hidden, [1, 2, 0], [1, 4, 16]),
      tf.slice(decoder.forward({ ...padded, rule: { causal: true, end } }).hidden, [0, 0, 0], [1, 4, 16]),
    ]);
    await assertTensorsClose(left, expected, { tolerance: 1e-5 });
    await assertTensorsClose(right, expected, { tolerance: 1e-5 });
    tf.dispose([expected, left, right, alone.embeddings, padded.embeddings]);
  });

  it('returns states that are all the caller’s, and leaves the embeddings alone', async () => {
    await expectNoLeak(() => {
      const { hidden, hiddenStates = [] } = decoder.forward(inputs, { hiddenStates: true });
      expect(hiddenStates).toHaveLength(3);
      expect(hiddenStates[2]).toBe(hidden);
      tf.dispose([...hiddenStates]);
      expect(inputs.embeddings.isDisposed).toBe(false);
    });
  });

  it('runs injections at their layers, in order, and hands them the offset', async () => {
    const calls: string[] = [];
    const record = (name: string, layer: number, place: LayerInjection['place']): LayerInjection => ({
      layer,
      place,
      apply: (x, offset) => {
        calls.push(`${name}@${offset}:${x.shape}`);
        return tf.add(x, layer === 0 ? 1 : 0) as tf.Tensor3D;
      },
    });
    const injections = [
      record('after 1', 1, 'after'),
      record('before 1', 1, 'before'),
      record('before 0', 0, 'before'),
      record('before 1 too', 1, 'before'),
    ];
    const cache = decoder.createCache(2);
    await expectNoLeak(async () => {
      const moved = tf.add(inputs.embeddings, 1) as tf.Tensor3D;
      const [actual, expected] = [
        decoder.forward({ ...inputs, injections }, { cache }).hidden,
        decoder.forward({ ...inputs, embeddings: moved }).hidden,
      ];
      await assertTensorsClose(actual, expected, { tolerance: 0 });
      const step = textInputs(decoder, [[1], [2]]);
      decoder.forward({ ...step, rule: inputs.rule, injections }, { cache }).hidden.dispose();
      tf.dispose([actual, expected, moved, step.embeddings]);
      cache.dispose();
    });
    const order = (offset: number, length: number) =>
      ['before 0', 'before 1', 'before 1 too', 'after 1'].map((name) => `${name}@${offset}:2,${length},16`);
    expect(calls).toEqual([...order(0, 6), ...order(6, 1)]);
  });

  it('refuses what does not fit, without a kernel', () => {
    const before = tf.memory().numTensors;
    const { positions, embeddings, rule } = inputs;
    const refuse = (changed: Partial<DecoderInputs>, text: string) => {
      expect(() => decoder.forward({ ...inputs, ...changed })).toThrow(ShapeError);
      expect(() => decoder.forward({ ...inputs, ...changed })).toThrow(text);
    };
    refuse({ positions: { ...positions, axes: 3 } }, 'positions int32[1, 2, 6]');
    refuse({ positions: { ...positions, shape: [1, 6] } }, 'positions int32[1, 2, 6]');
    refuse({ rule: { ...rule, start: Int32Array.of(0) } }, 'rule.start int32[2]');
    refuse({ injections: [{ layer: 2, place: 'before', apply: (x) => x }] }, 'injections at layers 0 to 1');
    const narrow = tf.zeros<tf.Rank.R3>([2, 6, 8]);
    refuse({ embeddings: narrow }, "decoder 'llama': expected embeddings float32[B, T, 16], got [2, 6, 8].");
    narrow.dispose();
    expect(embeddings.isDisposed).toBe(false);
    expect(() => decoder.embed({ data: Int32Array.of(40), shape: [1, 1] })).toThrow(ConfigError);
    const long = textInputs(decoder, [new Array(33).fill(1)]);
    expect(() => decoder.forward(long)).toThrow(ContextLengthError);
    long.embeddings.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
