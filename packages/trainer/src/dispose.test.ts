import { startBackend } from '@mmllm/backends';
import { Module } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { disposeExcept } from '.';
import { readAll, Toy } from './testing/toy';

beforeAll(() => startBackend({ backend: 'cpu' }));

class Towers extends Module {
  readonly text = new Toy();
  constructor(readonly vision: Toy['encoder']) {
    super();
  }
}

it('frees what only the first module has', async () => {
  const model = new Toy();
  model.initialize();
  const before = await readAll(model);
  const tensors = tf.memory().numTensors;
  const towers = new Towers(model.encoder);
  towers.initialize();
  disposeExcept(towers, model);
  expect(tf.memory().numTensors).toBe(tensors);
  expect(towers.text.unused.ready).toBe(false);
  expect(await readAll(model)).toEqual(before);
  model.dispose();
});
