import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { adamwUpdate } from '../../../nn/src/ops';
import { changesOf } from './changed';
import { randomHost, startBoth, upload } from './testing/against-cpu';

beforeAll(startBoth);

const wasm = () => tf.backend() as BackendWasm;

function variables() {
  return tf.tidy(() => [1, 2, 3].map((seed) => tf.variable(tf.abs(upload(randomHost([37], seed))))));
}

function step([parameter, m, v]: tf.Variable[], number: number): void {
  const own = { learningRate: 0.1, weightDecay: 0, step: number };
  const means = { beta1: 0.9, beta2: 0.99, eps: 1e-8 };
  tf.tidy(() =>
    adamwUpdate([{ parameter: parameter!, m: m!, v: v!, gradient: tf.ones([37]), ...own }], means),
  );
}

it('writes in place, says so, and leaves one holder and the same number of tensors and bytes', async () => {
  await tf.setBackend('wasm');
  const all = variables();
  const [before, ids, changes] = [{ ...tf.memory() }, all.map(dataId), all.map((x) => changesOf(x.dataId))];
  const addresses = all.map(address);
  const first = await all[0]!.data();
  for (const number of [1, 2]) step(all, number);
  expect(all.map(dataId)).toEqual(ids);
  expect(all.map(address)).toEqual(addresses);
  expect(all.map((x) => wasm().refCount(x.dataId))).toEqual([1, 1, 1]);
  expect(all.map((x) => changesOf(x.dataId))).toEqual(changes.map((count) => count + 2));
  expect(await all[0]!.data()).not.toEqual(first);
  expect(tf.memory()).toEqual(before);
  tf.dispose(all);
});

it('goes to fresh memory once where a clone is held, and then on in place', async () => {
  await tf.setBackend('wasm');
  const all = variables();
  const [parameter] = all;
  const clone = tf.clone(parameter!);
  const values = await clone.data();
  const held = parameter!.dataId;
  step(all, 1);
  const own = parameter!.dataId;
  expect(own).not.toBe(held);
  expect([changesOf(held), changesOf(own)]).toEqual([0, 0]);
  step(all, 2);
  expect(parameter!.dataId).toBe(own);
  expect(changesOf(own)).toBe(1);
  expect(await clone.data()).toEqual(values);
  tf.dispose([all, clone]);
});

it('leaves a clone as it is whose data comes from another backend', async () => {
  await tf.setBackend('cpu');
  const all = variables();
  const clone = tf.clone(all[0]!);
  const values = (await clone.data()).slice();
  await tf.setBackend('wasm');
  step(all, 1);
  expect(await clone.data()).toEqual(values);
  expect(await all[0]!.data()).not.toEqual(values);
  tf.dispose([all, clone]);
});

const dataId = (tensor: tf.Tensor) => tensor.dataId;
const address = (tensor: tf.Tensor) => wasm().getMemoryOffset(tensor.dataId);

it('is seen by stock products, which keep weights packed', async () => {
  await tf.setBackend('wasm');
  const [weight, m, v] = tf.tidy(() => [1, 0, 0].map((value) => tf.variable(tf.fill([3, 4], value))));
  const x = tf.ones<tf.Rank.R2>([2, 3]);
  const product = () => tf.tidy(() => tf.matMul(x, weight as tf.Tensor2D)).data();
  expect(new Set(await product())).toEqual(new Set([3]));
  const own = { learningRate: 0.5, weightDecay: 0, step: 1 };
  const gradient = tf.ones([3, 4]);
  adamwUpdate([{ parameter: weight!, m: m!, v: v!, gradient, ...own }], { beta1: 0, beta2: 0, eps: 0 });
  expect(new Set(await product())).toEqual(new Set([1.5]));
  tf.dispose([weight, m, v, x, gradient]);
});
