import { compareTensors } from '@mmllm/conformance';
import type { AttentionRule } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { attention } from '../../../nn/src/ops';
import {
  describeOnWebgpu,
  expectSameAsCpu,
  type Host,
  onWebgpu,
  randomHost,
  withGradients,
  withValue,
} from './testing/on-webgpu';

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
  (one: Case) =>
  (...[q, k, v]: tf.Tensor[]) => {
    const { rule, heads, group, headSize } = one;
    // Registers the reference where there is no kernel of ours.
    tf.dispose(attend(one)(q!, k!, v!));
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

/** Any rule for the sizes; many blank whole rows. */
function anyRule({ batch, queries, keys, heads }: Omit<Case, 'rule'>): fc.Arbitrary<AttentionRule> {
  const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined, freq: 2 });
  const biasShape = fc
    .tuple(fc.constantFrom(1, batch), fc.constantFrom(1, heads))
    .map(([b, h]) => [b, h, queries, keys] as const);
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
      ...rule,
      ...(blocks && { queryBlocks: blocks[0], keyBlocks: blocks[1] }),
      ...(bias && {
        biasShape: bias,
        bias: randomHost([...bias], seed).data.map((x) => (x > 0.8 ? Number.NEGATIVE_INFINITY : x)),
      }),
    }));
}

const anyCase: fc.Arbitrary<Case> = fc
  .record({
    batch: fc.integer({ min: 1, max: 3 }),
    queries: fc.integer({ min: 1, max: 45 }),
    keys: fc.integer({ min: 1, max: 45 }),
    keyHeads: fc.integer({ min: 1, max: 2 }),
    group: fc.integer({ min: 1, max: 3 }),
    // Few sizes, as each is a shader of its own; with and without a rest by four.
    headSize: fc.constantFrom(3, 8),
  })
  .chain(({ keyHeads, ...sizes }) => {
    const all = { ...sizes, heads: keyHeads * sizes.group };
    return anyRule(all).map((rule) => ({ ...all, rule }));
  });

const plain: Case = {
  batch: 2,
  queries: 35,
  keys: 35,
  heads: 2,
  group: 1,
  headSize: 8,
  rule: { causal: true },
};

describeOnWebgpu('mmllm/Attention and mmllm/AttentionGrad', () => {
  it('are the references for any sizes and rules', { timeout: 240_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async (one) => {
        await expectSameAsCpu(withGradients(attend(one)), hosts(one), 2e-5);
      }),
      { numRuns: 12 },
    );
  });

  it.each<Case>([
    { ...plain, batch: 1, queries: 33, keys: 70, headSize: 64 },
    { ...plain, batch: 1, queries: 1, keys: 90, heads: 6, group: 3, headSize: 10 },
    { ...plain, batch: 1, queries: 1, keys: 45, heads: 1, headSize: 64 },
    { ...plain, batch: 1, queries: 3, keys: 301, heads: 1, headSize: 8, rule: { causal: false } },
    { ...plain, batch: 1, queries: 5, keys: 7, heads: 1, headSize: 200, rule: { causal: false } },
    { ...plain, batch: 1, queries: 70, keys: 70, heads: 1, rule: { causal: true, window: 9 } },
  ])('hold for %o', async (one) => {
    await expectSameAsCpu(withGradients(attend(one)), hosts(one), 2e-5);
  });

  it('refuse heads that fit no memory, and say so', async () => {
    const one = { ...plain, batch: 1, queries: 1, keys: 1, heads: 1, headSize: 8192 };
    await expect(onWebgpu(attend(one), hosts(one))).rejects.toThrow('bytes of workgroup memory, got 8192');
  });

  it('give zeros and no gradient where a query sees nothing', async () => {
    const one: Case = {
      ...plain,
      rule: { causal: true, end: Int32Array.of(35, 0), start: Int32Array.of(3, 0) },
    };
    const [out, dq] = await onWebgpu(withGradients(attend(one)), hosts(one));
    const isBlind = (row: number) => row < 3 || row >= 35;
    for (let row = 0; row < 70; row++) {
      const isZero = ({ data }: Host) =>
        data.subarray(row * 16, (row + 1) * 16).every((value) => value === 0);
      expect(isZero(out!)).toBe(isBlind(row));
      if (isBlind(row)) expect(isZero(dq!)).toBe(true);
    }
  });

  it('keep the log-sum-exp of every row', async () => {
    for (const causal of [false, true]) {
      await expectSameAsCpu(attendKernel({ ...plain, rule: { causal } }), hosts(plain), 1e-5);
    }
  });

  it('hold for large scores', async () => {
    const large = hosts(plain).map(({ shape, data }) => ({ shape, data: data.map((x) => 5 * x) }));
    await expectSameAsCpu(attend(plain), large, 1e-4);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('pass %d on to the queries that see it', async (value) => {
    const one = { ...plain, rule: { causal: false } };
    const inputs = hosts(one);
    for (const side of [0, 1, 2]) {
      const changed = inputs.map((host, i) => (i === side ? withValue(host, 100, value) : host));
      await expectSameAsCpu(attend(one), changed, 2e-5);
    }
  });

  it('take empty batches and no queries', async () => {
    for (const one of [
      { ...plain, batch: 0 },
      { ...plain, queries: 0 },
      { ...plain, keys: 0 },
    ]) {
      const outputs = await onWebgpu(withGradients(attend(one)), hosts(one));
      const [q, k, v] = hosts(one).map(({ shape, data }) => ({ shape, data: data.fill(0) }));
      expect(outputs).toEqual([q, q, k, v]);
    }
  });

  it('give the same bits again, and others for a changed key', async () => {
    const inputs = hosts(plain);
    const first = await onWebgpu(withGradients(attend(plain)), inputs);
    expect(await onWebgpu(withGradients(attend(plain)), inputs)).toEqual(first);
    const [q, k, v] = inputs;
    const changed = await onWebgpu(withGradients(attend(plain)), [q!, withValue(k!, 7, 0.5), v!]);
    for (const [i, output] of changed.entries()) {
      expect((await compareTensors(output, first[i]!, { tolerance: 2e-5 })).ok).toBe(false);
    }
  });
});
