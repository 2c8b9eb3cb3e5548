import { assertTensorsClose, compareTensors } from '@mmllm/conformance';
import type { AttentionRule } from '@mmllm/core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { attention } from '../../../nn/src/ops';
import { sideModule } from './side-module';
import {
  expectSameAsCpu,
  type Host,
  type Op,
  outputsOn,
  randomHost,
  startBoth,
  withGradients,
  withValue,
} from './testing/against-cpu';

beforeAll(startBoth);

interface Case {
  batch: number;
  queries: number;
  keys: number;
  heads: number;
  /** Query heads that read one key head. */
  group: number;
  headSize: number;
  rule: AttentionRule;
}

const hosts = ({ batch, queries, keys, heads, group, headSize }: Case): Host[] => [
  randomHost([batch, queries, heads * headSize], 1, 2),
  randomHost([batch, keys, (heads / group) * headSize], 2, 2),
  randomHost([batch, keys, (heads / group) * headSize], 3, 2),
];

const attend =
  ({ rule, heads, group }: Case) =>
  (...[q, k, v]: tf.Tensor[]) =>
    attention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, rule, {
      numHeads: heads,
      numKeyValueHeads: heads / group,
    });

/** Both outputs of the kernel itself. */
const attendKernel =
  ({ rule, heads, group, headSize }: Case) =>
  (...[q, k, v]: tf.Tensor[]) => {
    // Registers the reference where there is no kernel of ours.
    tf.dispose(
      attention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, rule, {
        numHeads: heads,
        numKeyValueHeads: heads / group,
      }),
    );
    const scale = 1 / Math.sqrt(headSize);
    const attrs = { rule, numHeads: heads, numKeyValueHeads: heads / group, numKeys: k!.shape[1], scale };
    return tf
      .engine()
      .runKernel(
        'mmllm/Attention',
        { q: q!, k: k!, v: v! },
        attrs as unknown as tf.NamedAttrMap,
      ) as tf.Tensor[];
  };

const ints = (length: number, max: number) =>
  fc
    .array(fc.integer({ min: 0, max }), { minLength: length, maxLength: length })
    .map((x) => Int32Array.from(x));

/** Any sizes with any rule for them; many rules blank whole rows. */
const anyCase: fc.Arbitrary<Case> = fc
  .record({
    batch: fc.integer({ min: 1, max: 3 }),
    queries: fc.integer({ min: 1, max: 19 }),
    keys: fc.integer({ min: 1, max: 19 }),
    keyHeads: fc.integer({ min: 1, max: 3 }),
    group: fc.integer({ min: 1, max: 3 }),
    headSize: fc.integer({ min: 1, max: 18 }),
  })
  .chain(({ keyHeads, ...sizes }) => {
    const { batch, queries, keys, group } = sizes;
    const heads = keyHeads * group;
    const biasShape = fc
      .constantFrom(1, batch)
      .chain((b) => fc.constantFrom(1, heads).map((h) => [b, h, queries, keys] as const));
    const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined, freq: 2 });
    return fc
      .record({
        causal: fc.boolean(),
        start: optional(ints(batch, keys)),
        end: optional(ints(batch, keys)),
        prefix: optional(ints(batch, keys)),
        window: optional(fc.integer({ min: 1, max: keys })),
        blocks: optional(fc.tuple(ints(batch * queries, 2), ints(batch * keys, 2))),
        bias: optional(biasShape),
        seed: fc.integer({ min: 1, max: 1000 }),
      })
      .map(({ blocks, bias, seed, ...rule }) => ({
        ...sizes,
        heads,
        rule: {
          ...rule,
          ...(blocks && { queryBlocks: blocks[0], keyBlocks: blocks[1] }),
          ...(bias && {
            biasShape: bias,
            bias: randomHost([...bias], seed).data.map((x) => (x > 0.8 ? Number.NEGATIVE_INFINITY : x)),
          }),
        },
      }));
  });

const plain: Case = {
  batch: 2,
  queries: 17,
  keys: 17,
  heads: 2,
  group: 1,
  headSize: 16,
  rule: { causal: true },
};

describe('mmllm/Attention and mmllm/AttentionGrad on wasm', () => {
  it('are the references for any sizes and rules', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async (one) => {
        await expectSameAsCpu(withGradients(attend(one)), hosts(one), 2e-5);
      }),
      { numRuns: 80 },
    );
  });

  it.each<Case>([
    { ...plain, batch: 1, queries: 70, keys: 70, headSize: 64 },
    { ...plain, batch: 1, queries: 1, keys: 45, heads: 6, group: 3, headSize: 10 },
    { ...plain, batch: 1, queries: 3, keys: 601, heads: 1, headSize: 8, rule: { causal: false } },
  ])('hold at larger sizes', async (one) => {
    await expectSameAsCpu(withGradients(attend(one)), hosts(one), 2e-5);
  });

  it('give zeros and no gradient where a query sees nothing', async () => {
    const one: Case = {
      ...plain,
      rule: { causal: true, end: Int32Array.of(17, 0), start: Int32Array.of(3, 0) },
    };
    const [out, dq] = await outputsOn('wasm', withGradients(attend(one)), hosts(one));
    const blind = (row: number) => row < 3 || row >= 17;
    for (let row = 0; row < 34; row++) {
      const isZero = ({ data }: Host) =>
        data.subarray(row * 32, (row + 1) * 32).every((value) => value === 0);
      expect(isZero(out!)).toBe(blind(row));
      if (blind(row)) expect(isZero(dq!)).toBe(true);
    }
  });

  it('keep the log-sum-exp of every row', async () => {
    for (const causal of [false, true]) {
      const one = { ...plain, rule: { causal } };
      await expectSameAsCpu(attendKernel(one), hosts(one), 1e-5);
    }
  });

  it('hold for large scores', async () => {
    const large = hosts(plain).map(({ shape, data }) => ({ shape, data: data.map((x) => 5 * x) }));
    await expectSameAsCpu(attend(plain), large, 1e-4);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('pass %d on', async (value) => {
    for (const queries of [17, 3]) {
      const one = { ...plain, queries, rule: { causal: false } };
      for (const side of [0, 1, 2]) {
        const inputs = hosts(one).map((host, i) => (i === side ? withValue(host, 70, value) : host));
        await expectSameAsCpu(attend(one), inputs, 2e-5);
      }
    }
  });

  it('pass NaN of a key on to all that see it', async () => {
    const [q, k, v] = hosts(plain);
    for (const inputs of [
      [q!, withValue(k!, 100, Number.NaN), v!],
      [q!, k!, withValue(v!, 100, Number.NaN)],
    ]) {
      const [[actual], [expected]] = [
        await outputsOn('wasm', attend(plain), inputs),
        await outputsOn('cpu', attend(plain), inputs),
      ];
      // Key 3; the kernel does not look at keys that eight neighbouring queries do not see.
      const from = 3 * 32;
      const seeing = ({ data }: Host): Host => ({ shape: [31, 32], data: data.slice(from) });
      await assertTensorsClose(seeing(actual!), seeing(expected!), { tolerance: 2e-5 });
    }
  });

  it('join blocks of keys, for many queries and a few', async () => {
    const wide = { batch: 1, keys: 2000, heads: 2, group: 2, headSize: 5 };
    const ends = { start: Int32Array.of(70), end: Int32Array.of(1999), prefix: Int32Array.of(700) };
    const blocks = (length: number, every: number) =>
      Int32Array.from({ length }, (_, i) => Math.floor(i / every));
    for (const queries of [2, 11]) {
      for (const rule of [
        { causal: false },
        { causal: true, window: 1200, ...ends },
        { causal: true, window: 3, prefix: Int32Array.of(400) },
        { causal: false, queryBlocks: blocks(queries, 1), keyBlocks: blocks(2000, 600) },
        { causal: false, end: Int32Array.of(0) },
      ]) {
        const one = { ...wide, queries, rule };
        await expectSameAsCpu(withGradients(attend(one)), hosts(one), 2e-5);
      }
    }
  });

  it('give over keys with room behind them what they give without', async () => {
    for (const queries of [1, 9]) {
      const one = { ...plain, queries, keys: 30, group: 2 };
      const [q, k, v] = hosts(one);
      const counts = (width: number, i: number) => Math.floor(i / width) % 30 < 13;
      const first = ({ shape: [, , width], data }: Host): Host => ({
        shape: [2, 13, width!],
        data: data.filter((_, i) => counts(width!, i)),
      });
      const some: Op = withGradients((...[a, b, c]) =>
        attention(a as tf.Tensor3D, b as tf.Tensor3D, c as tf.Tensor3D, one.rule, {
          ...{ numHeads: 2, numKeyValueHeads: 1, numKeys: 13 },
        }),
      );
      const without = await outputsOn('wasm', withGradients(attend({ ...one, keys: 13 })), [
        q!,
        first(k!),
        first(v!),
      ]);
      const behind = (host: Host): Host => ({
        ...host,
        data: host.data.map((x, i) => (counts(host.shape[2]!, i) ? x : Number.NaN)),
      });
      const withRoom = await outputsOn('wasm', some, [q!, behind(k!), behind(v!)]);
      expect(withRoom.slice(0, 2)).toEqual(without.slice(0, 2));
      expect(withRoom.slice(2).map(first)).toEqual(without.slice(2));
      await expectSameAsCpu(some, [q!, k!, v!], 2e-5);
    }
  });

  it('need memory that does not grow with the number of keys', () => {
    const { attentionScratch, attentionGradientScratch } = sideModule(tf.backend() as BackendWasm);
    for (const queries of [1, 100]) {
      expect(attentionScratch(queries, 1e6, 3, 64, 1)).toBe(attentionScratch(queries, 1e5, 3, 64, 1));
      expect(attentionScratch(queries, 1e6, 3, 64, 1)).toBeLessThan(2 ** 22);
    }
    expect(attentionGradientScratch(1e6, 64)).toBeLessThan(2 ** 22);
  });

  it('take empty batches and no queries', async () => {
    for (const one of [
      { ...plain, batch: 0 },
      { ...plain, queries: 0 },
    ]) {
      const outputs = await outputsOn('wasm', withGradients(attend(one)), hosts(one));
      const [q, k, v] = hosts(one).map(({ shape, data }) => ({ shape, data: data.fill(0) }));
      expect(outputs).toEqual([q, q, k, v]);
    }
  });

  it('give the same bits again, and others for a changed key', async () => {
    const inputs = hosts(plain);
    const first = await outputsOn('wasm', withGradients(attend(plain)), inputs);
    expect(await outputsOn('wasm', withGradients(attend(plain)), inputs)).toEqual(first);
    const [q, k, v] = inputs;
    const changed = await outputsOn('wasm', withGradients(attend(plain)), [q!, withValue(k!, 7, 0.5), v!]);
    for (const [i, output] of changed.entries()) {
      expect((await compareTensors(output, first[i]!, { tolerance: 2e-5 })).ok).toBe(false);
    }
  });

  it('take a mask again for other sizes', async () => {
    const rule = { causal: true };
    for (const queries of [9, 5, 9]) {
      const one = { ...plain, queries, rule };
      const [expected] = await outputsOn('cpu', attend({ ...one, rule: { ...rule } }), hosts(one));
      const [actual] = await outputsOn('wasm', attend(one), hosts(one));
      await assertTensorsClose(actual!, expected!, { tolerance: 1e-5 });
    }
  });
});
