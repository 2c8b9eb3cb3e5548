import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, checkGradients, compareTensors, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, type Module, type Parameter, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { product, randomHost, softmax64, upload } from '../ops/testing/float64';
import {
  Attention,
  type AttentionOptions,
  Embedding,
  GatedMlp,
  gatedMlpSize,
  type KeyValues,
  LayerNorm,
  Linear,
  Mlp,
  RmsNorm,
  TransformerBlock,
} from '.';

beforeAll(async () => {
  await startBackend({ backend: 'cpu' });
});

/** Values away from the first ones, so that a bias or a gain left out would show. */
function fill<M extends Module>(module: M): M {
  for (const [i, [, parameter]] of [...module.namedParameters()].entries()) {
    parameter.assign(randomHost([parameter.size], i + 1).data);
  }
  return module;
}

type Weights = (path: string) => Float64Array;

async function weights64(module: Module): Promise<Weights> {
  const values = new Map<string, Float64Array>();
  for (const [path, parameter] of module.namedParameters()) {
    values.set(path, Float64Array.from(await parameter.read()));
  }
  return (path) => values.get(path)!;
}

function linear64(x: Float64Array, weights: Weights, name: string, [rows, inner, outer]: number[]) {
  const [weight, bias] = [weights(`${name}.weight`), weights(`${name}.bias`)];
  return product(x, weight, [rows!, inner!, outer!]).map((y, i) => y + (bias ? bias[i % outer!]! : 0));
}

/** `mean(x²)` and its like of the last axis of a [rows, width] array, spread over the rows. */
function perRow(x: Float64Array, width: number, f: (row: Float64Array) => ArrayLike<number>): Float64Array {
  const out = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += width) out.set(f(x.subarray(at, at + width)), at);
  return out;
}

const mean = (row: Float64Array) => row.reduce((sum, x) => sum + x, 0) / row.length;

const rms64 = (x: Float64Array, gain: Float64Array, eps: number) =>
  perRow(x, gain.length, (row) => {
    const size = Math.sqrt(mean(row.map((v) => v * v)) + eps);
    return row.map((v, i) => (v / size) * gain[i]!);
  });

const silu64 = (x: number) => x / (1 + Math.exp(-x));

/** Compares a layer on random input with its definition in double precision. */
async function compare(
  module: Module & { forward(x: tf.Tensor): tf.Tensor },
  shape: number[],
  reference: (x: Float64Array, weights: Weights) => Float64Array,
) {
  const x = randomHost(shape, 77);
  const input = upload(x);
  const actual = tf.tidy(() => module.forward(input));
  const data = Float32Array.from(reference(Float64Array.from(x.data), await weights64(module)));
  const outShape = [...shape.slice(0, -1), data.length / (input.size / shape.at(-1)!)];
  await assertTensorsClose(actual, { shape: outShape, data }, { tolerance: 2e-6 });
  tf.dispose([input, actual]);
  module.dispose();
}

it('RmsNorm scales by its weight, or by one more than that', async () => {
  await expectNoLeak(async () => {
    for (const offset of [0, 1] as const) {
      await compare(fill(new RmsNorm(5, { eps: 0.1, offset })), [2, 3, 5], (x, weights) =>
        rms64(
          x,
          weights('weight').map((w) => offset + w),
          0.1,
        ),
      );
    }
  });
});

it('RmsNorm starts as the plain norm in both forms', async () => {
  await expectNoLeak(async () => {
    for (const offset of [0, 1] as const) {
      const norm = new RmsNorm(4, { offset });
      norm.initialize();
      expect([...(await norm.weight.read())]).toEqual(Array(4).fill(1 - offset));
      await compare(norm, [3, 4], (x) => rms64(x, new Float64Array(4).fill(1), 1e-6));
    }
  });
});

it('LayerNorm takes the mean away, and scales by the biased deviation', async () => {
  await expectNoLeak(async () => {
    await compare(fill(new LayerNorm(6, 0.1)), [2, 2, 6], (x, weights) =>
      perRow(x, 6, (row) => {
        const deviation = Math.sqrt(mean(row.map((v) => (v - mean(row)) ** 2)) + 0.1);
        return row.map((v, i) => ((v - mean(row)) / deviation) * weights('weight')[i]! + weights('bias')[i]!);
      }),
    );
  });
});

it('Linear multiplies and adds, and names its path for another width', async () => {
  await expectNoLeak(async () => {
    await compare(fill(new Linear(3, 4)), [2, 2, 3], (x, weights) =>
      product(x, weights('weight'), [4, 3, 4]).map((y, i) => y + weights('bias')[i % 4]!),
    );
    await compare(fill(new Linear(3, 4, { bias: false })), [2, 3], (x, weights) =>
      product(x, weights('weight'), [2, 3, 4]),
    );
    const linear = fill(new Linear(3, 4));
    linear.weight.path = 'decoder.layers.3.mlp.fc1.weight';
    const wide = tf.zeros([2, 5]);
    expect(() => linear.forward(wide)).toThrow(ShapeError);
    expect(() => linear.forward(wide)).toThrow(/decoder\.layers\.3\.mlp\.fc1\.weight.*3.*\[2, 5\]/s);
    tf.dispose(wide);
    linear.dispose();
  });
});

it('Embedding picks rows, and refuses an id outside the table', async () => {
  await expectNoLeak(async () => {
    const table = fill(new Embedding(4, 3));
    const rows = await table.weight.read();
    const ids = [3, 0, 3, 1];
    const actual = table.forward({ data: Int32Array.from(ids), shape: [2, 2] });
    const data = Float32Array.from(ids.flatMap((id) => [...rows.subarray(id * 3, id * 3 + 3)]));
    await assertTensorsClose(actual, { shape: [2, 2, 3], data }, { tolerance: 0 });
    expect(() => table.forward({ data: Int32Array.of(4), shape: [1, 1] })).toThrow(ConfigError);
    actual.dispose();
    table.dispose();
  });
});

it('Mlp and GatedMlp compute their formulas', async () => {
  await expectNoLeak(async () => {
    const sizes = { hiddenSize: 3, intermediateSize: 5, activation: 'silu' as const };
    await compare(fill(new Mlp(sizes)), [2, 2, 3], (x, weights) =>
      linear64(linear64(x, weights, 'fc1', [4, 3, 5]).map(silu64), weights, 'fc2', [4, 5, 3]),
    );
    for (const bias of [false, true]) {
      await compare(fill(new GatedMlp({ ...sizes, bias })), [2, 2, 3], (x, weights) => {
        const up = linear64(x, weights, 'upProj', [4, 3, 5]);
        const inner = linear64(x, weights, 'gateProj', [4, 3, 5]).map((gate, i) => silu64(gate) * up[i]!);
        return linear64(inner, weights, 'downProj', [4, 5, 3]);
      });
    }
  });
});

it.each([
  // LLaMA's 7B, 13B and 65B models, and sizes on either side of a multiple of 256.
  [4096, 11008],
  [5120, 13824],
  [8192, 22016],
  [96, 256],
  [97, 512],
])('a gated MLP of hidden size %i is %i wide', (hiddenSize, size) => {
  expect(gatedMlpSize(hiddenSize)).toBe(size);
});

const [B, T, D, HEADS, KV_HEADS, HEAD, EPS] = [2, 4, 6, 4, 2, 4, 0.01];

const attentionOptions: AttentionOptions = {
  hiddenSize: D,
  numHeads: HEADS,
  numKeyValueHeads: KV_HEADS,
  headSize: HEAD,
  headNorm: (size) => new RmsNorm(size, { eps: EPS }),
};

const angle = (t: number, pair: number) => t * 100 ** ((-2 * pair) / HEAD);

/** Rotations of positions from `first` up. The caller owns them. */
function rotary(first = 0, length = T) {
  const table = (f: (x: number) => number) =>
    tf.tensor3d(
      Array.from({ length: length * 2 }, (_, i) => f(angle(first + Math.floor(i / 2), i % 2))),
      [1, length, 2],
    );
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

/** Each head turned by its position, the first half of its values paired with the second. */
function rotate64(x: Float64Array, numHeads: number): Float64Array {
  let row = 0;
  return perRow(x, HEAD, (head) => {
    const t = Math.floor(row++ / numHeads) % T;
    return head.map((v, i) => {
      const other = i < 2 ? -head[i + 2]! : head[i - 2]!;
      return v * Math.cos(angle(t, i % 2)) + other * Math.sin(angle(t, i % 2));
    });
  });
}

/** Causal grouped-query attention by its definition, one head and one token at a time. */
function attention64(x: Float64Array, weights: Weights): Float64Array {
  const project = (name: string, heads: number) => linear64(x, weights, name, [B * T, D, heads * HEAD]);
  const q = rotate64(rms64(project('qProj', HEADS), weights('qNorm.weight'), EPS), HEADS);
  const k = rotate64(rms64(project('kProj', KV_HEADS), weights('kNorm.weight'), EPS), KV_HEADS);
  const v = project('vProj', KV_HEADS);
  const head = (values: Float64Array, row: number, index: number, heads: number) =>
    values.subarray((row * heads + index) * HEAD, (row * heads + index + 1) * HEAD);
  const mixed = new Float64Array(B * T * HEADS * HEAD);
  for (let row = 0; row < B * T; row++) {
    const seen = Array.from({ length: (row % T) + 1 }, (_, i) => row - (row % T) + i);
    for (let h = 0; h < HEADS; h++) {
      const group = Math.floor((h * KV_HEADS) / HEADS);
      const query = head(q, row, h, HEADS);
      const scores = seen.map((s) => product(query, head(k, s, group, KV_HEADS), [1, HEAD, 1])[0]!);
      const { weights: shares } = softmax64(scores.map((score) => score / Math.sqrt(HEAD)));
      const out = head(mixed, row, h, HEADS);
      for (const [i, s] of seen.entries()) {
        for (const [d, value] of head(v, s, group, KV_HEADS).entries()) out[d]! += shares[i]! * value;
      }
    }
  }
  return linear64(mixed, weights, 'outProj', [B * T, HEADS * HEAD, D]);
}

it('Attention groups queries, norms heads, rotates them and looks back only', async () => {
  await expectNoLeak(async () => {
    const attention = fill(new Attention(attentionOptions));
    const host = randomHost([B, T, D], 78);
    const x = upload(host) as tf.Tensor3D;
    const tables = rotary();
    const run = () => tf.tidy(() => attention.forward(x, { rule: { causal: true }, rotary: tables }));
    const data = Float32Array.from(attention64(Float64Array.from(host.data), await weights64(attention)));
    const expected = { shape: [B, T, D], data };
    const actual = run();
    await assertTensorsClose(actual, expected, { tolerance: 5e-6 });
    actual.dispose();

    for (const [path, parameter] of attention.namedParameters()) {
      const values = await parameter.read();
      parameter.assign(values.map((value, i) => (i === 0 ? value + 0.1 : value)));
      const moved = run();
      expect(await compareTensors(moved, expected, { tolerance: 5e-6 }), path).toMatchObject({ ok: false });
      moved.dispose();
      parameter.assign(values);
    }
    tf.dispose([x, tables]);
    attention.dispose();
  });
});

it('Attention over a cache gives what it gives over all tokens at once', async () => {
  await expectNoLeak(async () => {
    const attention = fill(new Attention(attentionOptions));
    const x = upload(randomHost([B, T, D], 79)) as tf.Tensor3D;
    const rule = { causal: true };
    const pairs = tf.tidy(() => {
      let kept: KeyValues | undefined;
      const cache = {
        append({ k, v }: KeyValues): KeyValues {
          kept = kept ? { k: tf.concat([kept.k, k], 1), v: tf.concat([kept.v, v], 1) } : { k, v };
          return kept;
        },
      };
      const step = (first: number, length: number) =>
        attention.forward(tf.slice(x, [0, first, 0], [B, length, D]), {
          rule,
          rotary: rotary(first, length),
          cache,
        });
      const stepwise = tf.concat([step(0, T - 1), step(T - 1, 1)], 1);
      return [stepwise, attention.forward(x, { rule, rotary: rotary() })] as const;
    });
    await assertTensorsClose(pairs[0], pairs[1], { tolerance: 1e-6 });
    tf.dispose([x, ...pairs]);
    attention.dispose();
  });
});

it.each([
  ['a hidden size that numHeads does not divide', { hiddenSize: 10, numHeads: 4 }],
  ['numHeads that numKeyValueHeads does not divide', { hiddenSize: 12, numHeads: 4, numKeyValueHeads: 3 }],
  ['no heads for keys', { hiddenSize: 12, numHeads: 4, numKeyValueHeads: 0 }],
])('Attention refuses %s', (_, options) => {
  expect(() => new Attention(options)).toThrow(ConfigError);
});

/** Runs `f` with the tensors in place of the parameters' own values, so that gradients reach them. */
function withValues<R>(parameters: readonly Parameter[], values: readonly tf.Tensor[], f: () => R): R {
  for (const [i, parameter] of parameters.entries()) {
    Object.defineProperty(parameter, 'value', { value: values[i], configurable: true });
  }
  try {
    return f();
  } finally {
    for (const parameter of parameters) Reflect.deleteProperty(parameter, 'value');
  }
}

it('TransformerBlock passes right gradients to its input and to every parameter', async () => {
  await expectNoLeak(async () => {
    const block = fill(
      new TransformerBlock({
        attentionNorm: new LayerNorm(D),
        selfAttention: new Attention(attentionOptions),
        mlpNorm: new RmsNorm(D, { offset: 1 }),
        mlp: new GatedMlp({ hiddenSize: D, intermediateSize: 5, activation: 'gelu_tanh', bias: true }),
      }),
    );
    const parameters = Array.from(block.namedParameters(), ([, parameter]) => parameter);
    expect(parameters).toHaveLength(19);
    const x = upload(randomHost([1, 3, D], 80)) as tf.Tensor3D;
    const tables = rotary(0, 3);
    const forward = (input: tf.Tensor, ...values: tf.Tensor[]) =>
      withValues(parameters, values, () =>
        block.forward(input as tf.Tensor3D, { rule: { causal: true }, rotary: tables }),
      );
    await checkGradients(forward, [x, ...parameters.map(({ value }) => value as tf.Tensor)], {
      epsilon: 0.01,
      tolerance: 2e-3,
      maxElements: 4,
    });
    tf.dispose([x, tables]);
    block.dispose();
  });
});
