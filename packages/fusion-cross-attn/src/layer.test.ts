import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, checkGradients, expectNoLeak } from '@mmllm/conformance';
import { random } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GatedCrossAttention } from './layer';

const [D, HEADS, KV_HEADS, HEAD, MLP, EPS] = [8, 4, 2, 2, 12, 1e-5];
const layer = new GatedCrossAttention({
  hiddenSize: D,
  numHeads: HEADS,
  numKeyValueHeads: KV_HEADS,
  intermediateSize: MLP,
  headNorm: true,
  rmsNormEps: EPS,
  initializerRange: 0.5,
});
const source = random(4);
const noise = (shape: number[]) =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => source.normal()),
    shape,
  );

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
  layer.initialize({ seed: 1 });
  // Away from the first values, so that a step left out would show.
  for (const [path, parameter] of layer.namedParameters()) {
    if (/norm|gate$/i.test(path.replace('.weight', ''))) {
      parameter.assign(Float32Array.from({ length: parameter.size }, () => 0.5 + 0.5 * source.uniform()));
    }
  }
});

afterAll(() => layer.dispose());

const weight = (path: string) => layer.parameter(path).value as tf.Tensor2D;

/** Llama 3.2's formula for one sample, head by head in plain ops. `sees` counts the keys of each token. */
function reference(x: tf.Tensor2D, pictures: tf.Tensor2D, sees: number[]): tf.Tensor2D {
  const rms = (rows: tf.Tensor, gain: tf.Tensor) =>
    tf.mul(tf.div(rows, tf.sqrt(tf.add(tf.mean(tf.square(rows), -1, true), EPS))), gain);
  const q = tf.matMul(rms(x, weight('attentionNorm.weight')), weight('crossAttention.qProj.weight'));
  const k = tf.matMul(pictures, weight('crossAttention.kProj.weight'));
  const v = tf.matMul(pictures, weight('crossAttention.vProj.weight'));
  const head = (rows: tf.Tensor, h: number) =>
    tf.slice(rows, [0, h * HEAD], [rows.shape[0], HEAD]) as tf.Tensor2D;
  const mixed = Array.from({ length: HEADS }, (_, h) => {
    const queries = rms(head(q, h), weight('crossAttention.qNorm.weight'));
    const group = Math.floor(h / (HEADS / KV_HEADS));
    const keys = rms(head(k, group), weight('crossAttention.kNorm.weight'));
    const rows = sees.map((count, t) => {
      if (count === 0) return tf.zeros([1, HEAD]);
      const query = tf.slice(queries, [t, 0], [1, HEAD]) as tf.Tensor2D;
      const seen = tf.slice(keys, [0, 0], [count, HEAD]) as tf.Tensor2D;
      const scores = tf.softmax(tf.div(tf.matMul(query, seen, false, true), Math.sqrt(HEAD)));
      return tf.matMul(scores as tf.Tensor2D, tf.slice(head(v, group), [0, 0], [count, HEAD]));
    });
    return tf.concat(rows, 0);
  });
  const attended = tf.matMul(tf.concat(mixed, 1) as tf.Tensor2D, weight('crossAttention.outProj.weight'));
  const y = tf.add(x, tf.mul(tf.tanh(weight('attentionGate')), attended));
  const normed = rms(y, weight('mlpNorm.weight')) as tf.Tensor2D;
  const gate = tf.matMul(normed, weight('mlp.gateProj.weight'));
  const inner = tf.mul(tf.mul(gate, tf.sigmoid(gate)), tf.matMul(normed, weight('mlp.upProj.weight')));
  const out = tf.matMul(inner as tf.Tensor2D, weight('mlp.downProj.weight'));
  const seeing = tf.tensor2d(sees.map((count) => [count > 0 ? 1 : 0]));
  return tf.add(y, tf.mul(seeing, tf.mul(tf.tanh(weight('mlpGate')), out)));
}

it('computes the published formula, and leaves a token alone that sees nothing', async () => {
  await expectNoLeak(async () => {
    const x = noise([2, 3, D]) as tf.Tensor3D;
    const pictures = noise([2, 4, D]) as tf.Tensor3D;
    const sees = [
      [0, 2, 4],
      [1, 1, 3],
    ];
    const bias = Float32Array.from({ length: 24 }, (_, i) =>
      i % 4 < sees.flat()[Math.floor(i / 4)] ? 0 : -1e9,
    );
    const rule = { causal: false, bias, biasShape: [2, 1, 3, 4] as const };
    const seeing = Float32Array.from(sees.flat(), (count) => (count > 0 ? 1 : 0));
    const actual = tf.tidy(() => layer.forward(x, layer.keyValues(pictures), { rule, seeing }));
    const expected = tf.tidy(() => {
      const sample = (b: number) => {
        const [own, seen] = [tf.slice(x, [b, 0, 0], [1, 3, D]), tf.slice(pictures, [b, 0, 0], [1, 4, D])];
        return reference(
          tf.reshape(own, [3, D]) as tf.Tensor2D,
          tf.reshape(seen, [4, D]) as tf.Tensor2D,
          sees[b],
        );
      };
      return tf.stack([sample(0), sample(1)]);
    });
    await assertTensorsClose(actual, expected, { tolerance: 1e-5 });
    const [before, after] = [await x.data(), await actual.data()];
    expect([...after.slice(0, D)]).toEqual([...before.slice(0, D)]);
    expect([...after.slice(D, 2 * D)]).not.toEqual([...before.slice(D, 2 * D)]);
    tf.dispose([x, pictures, actual, expected]);
  });
});

it('passes gradients to text and pictures', async () => {
  const x = noise([1, 2, D]) as tf.Tensor3D;
  const pictures = noise([1, 3, D]) as tf.Tensor3D;
  const rule = { causal: false, end: Int32Array.of(2) };
  const seeing = Float32Array.of(0, 1);
  await checkGradients(
    (text: tf.Tensor3D, seen: tf.Tensor3D) => layer.forward(text, layer.keyValues(seen), { rule, seeing }),
    [x, pictures],
    { epsilon: 0.01, tolerance: 2e-3 },
  );
  tf.dispose([x, pictures]);
});
