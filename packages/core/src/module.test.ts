import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { ShapeError, WeightError } from './errors';
import type { WeightFormat } from './held-weight';
import { normal, ones, zeros } from './initializers';
import { Module } from './module';
import { Parameter } from './parameter';
import { permutation, random } from './random';

class Layer extends Module {
  readonly weight = new Parameter([2, 3], { initializer: normal(1) });
  readonly bias = new Parameter([3], { initializer: zeros });
}

class Stack extends Module {
  readonly layers = [new Layer(), new Layer()];
  readonly scale = new Parameter([], { initializer: ones });
  readonly tied = this.layers[0].weight;
  readonly #other = new Layer();
  get other() {
    return this.#other;
  }
}

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('Module', () => {
  it('names parameters by its fields, each once, and only what it owns', () => {
    const paths = [...new Stack().namedParameters()].map(([path]) => path);
    expect(paths).toEqual(['layers.0.weight', 'layers.0.bias', 'layers.1.weight', 'layers.1.bias', 'scale']);
  });

  it('is born without memory and counts exactly', () => {
    const before = tf.memory().numTensors;
    const huge = new (class extends Module {
      readonly weight = new Parameter([100_000, 1_000_000], { initializer: zeros });
    })();
    expect(huge.countParameters()).toBe(1e11);
    expect(new Stack().countParameters()).toBe(19);
    class Measured extends Module {
      readonly weight = new Parameter([3], { initializer: ones });
      readonly runningMean = new Parameter([3], { initializer: zeros, trainable: false });
    }
    expect(new Measured().countParameters()).toBe(3);
    expect([...new Measured().namedParameters()].length).toBe(2);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses weights that are not there yet', () => {
    expect(() => new Layer().weight.value).toThrow(WeightError);
  });

  it('finds a parameter by path and names near ones otherwise', () => {
    const stack = new Stack();
    expect(stack.parameter('layers.1.bias')).toBe(stack.layers[1].bias);
    expect(() => stack.parameter('layers.2.bias')).toThrow(/layers\.0\.bias.*got 'layers\.2\.bias'/);
  });

  it('initialises by seed and path, keeps what is set, and frees all', async () => {
    const before = tf.memory().numTensors;
    const [first, second, other] = [new Stack(), new Stack(), new Stack()];
    first.layers[0].bias.assign(Float32Array.of(1, 2, 3));
    first.initialize({ seed: 7 });
    second.initialize({ seed: 7 });
    other.initialize({ seed: 8 });
    const values = (stack: Stack) => stack.layers[1].weight.read();
    expect(await values(first)).toEqual(await values(second));
    expect(await values(first)).not.toEqual(await values(other));
    expect(await first.layers[0].weight.read()).not.toEqual(await values(first));
    expect([...(await first.layers[0].bias.read())]).toEqual([1, 2, 3]);
    for (const stack of [first, second, other]) stack.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(first.scale.ready).toBe(false);
  });

  it('is recognised across duplicate installs', () => {
    expect(Module.isInstance({ [Symbol.for('mmllm.module')]: true })).toBe(true);
    expect(Parameter.isInstance({ [Symbol.for('mmllm.parameter')]: true })).toBe(true);
    expect(Module.isInstance(new Parameter([1], { initializer: zeros }))).toBe(false);
  });
});

describe('Parameter', () => {
  it('takes arrays and tensors of its shape only', async () => {
    const before = tf.memory().numTensors;
    const parameter = new Parameter([2, 2], { initializer: zeros });
    const tensor = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    parameter.assign(tensor);
    parameter.assign(tensor);
    tensor.dispose();
    expect([...(await parameter.read())]).toEqual([1, 2, 3, 4]);
    expect(() => parameter.assign(new Float32Array(3))).toThrow(ShapeError);
    const flat = tf.zeros([4]);
    expect(() => parameter.assign(flat)).toThrow(ShapeError);
    flat.dispose();
    parameter.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('copies an array it is given', async () => {
    const values = Float32Array.of(1, 2);
    const parameter = new Parameter([2], { initializer: zeros });
    parameter.assign(values);
    values[0] = 9;
    expect([...(await parameter.read())]).toEqual([1, 2]);
    parameter.dispose();
  });

  it('decays matrices and not vectors unless told', () => {
    expect(new Parameter([2, 2], { initializer: zeros }).decay).toBe(true);
    expect(new Parameter([2], { initializer: zeros }).decay).toBe(false);
    expect(new Parameter([2, 2], { initializer: zeros, decay: false }).decay).toBe(false);
  });

  it('refuses sizes that are not positive integers', () => {
    expect(() => new Parameter([2, 0], { initializer: zeros })).toThrow(ShapeError);
    expect(() => new Parameter([2.5], { initializer: zeros })).toThrow(ShapeError);
  });
});

/** Keeps halves of the values. */
const halves: WeightFormat = {
  type: 'bfloat16',
  hold: (values, shape) => {
    if (values.includes(7)) throw new WeightError({ component: 'w', expected: 'no 7', actual: '7' });
    const packed = tf.tensor1d(values.map((value) => value / 2));
    return {
      type: 'bfloat16',
      shape: shape as [number, number],
      inputAxis: 0,
      packed,
      byteLength: 4 * values.length,
      read: async () => (await packed.data<'float32'>()).map((value) => value),
      dispose: () => packed.dispose(),
    };
  },
};

describe('Parameter.hold', () => {
  it('takes a held weight over, of its type and shape only', async () => {
    const before = tf.memory().numTensors;
    const parameter = new Parameter([1, 2], { initializer: zeros });
    parameter.path = 'w';
    const held = halves.hold(Float32Array.of(2, 4), [1, 2], 'w');
    expect(() => parameter.assign(held)).toThrow(
      'w: expected weights held as float32, got weights held as bfloat16.',
    );
    await parameter.hold(halves);
    parameter.assign(held);
    expect(parameter.held).toBe(held);
    const wide = halves.hold(Float32Array.of(1, 2, 3), [1, 3], 'w');
    expect(() => parameter.assign(wide)).toThrow(ShapeError);
    wide.dispose();
    parameter.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('takes the place of the float32 values, and goes back', async () => {
    const before = tf.memory().numTensors;
    const parameter = new Parameter([1, 2], { initializer: zeros });
    parameter.path = 'w';
    parameter.assign(Float32Array.of(2, 4));
    await parameter.hold(halves);
    await parameter.hold(halves);
    expect([parameter.type, parameter.ready, parameter.held?.type]).toEqual(['bfloat16', true, 'bfloat16']);
    expect([...(await parameter.read())]).toEqual([1, 2]);
    expect(() => parameter.value).toThrow('w: expected float32 weights, got weights held as bfloat16.');
    expect(tf.memory().numTensors).toBe(before + 1);
    await parameter.hold();
    expect([parameter.type, parameter.held]).toEqual(['float32', undefined]);
    expect([...(await parameter.value.data())]).toEqual([1, 2]);
    parameter.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('holds what is assigned later, from an array', async () => {
    const before = tf.memory().numTensors;
    const parameter = new Parameter([1, 2], { initializer: ones });
    await parameter.hold(halves);
    expect([parameter.type, parameter.ready]).toEqual(['bfloat16', false]);
    parameter.initialize(random(1));
    expect([...(await parameter.read())]).toEqual([0.5, 0.5]);
    parameter.assign(Float32Array.of(2, 6));
    expect([...(await parameter.read())]).toEqual([1, 3]);
    const tensor = tf.ones([1, 2]);
    expect(() => parameter.assign(tensor)).toThrow(/an array, for weights held as bfloat16, got a tensor/);
    tf.dispose(tensor);
    parameter.dispose();
    expect([parameter.type, parameter.ready]).toEqual(['bfloat16', false]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('changes nothing where the format refuses', async () => {
    const parameter = new Parameter([1, 2], { initializer: zeros });
    parameter.assign(Float32Array.of(7, 4));
    await expect(parameter.hold(halves)).rejects.toThrow(WeightError);
    expect(parameter.type).toBe('float32');
    expect([...(await parameter.value.data())]).toEqual([7, 4]);
    parameter.dispose();
  });
});

describe('random', () => {
  it('gives equal streams for equal keys and others for other keys', () => {
    const draw = (...keys: (string | number)[]) => {
      const source = random(...keys);
      return Array.from({ length: 5 }, () => source.uniform());
    };
    expect(draw(1, 'a')).toEqual(draw(1, 'a'));
    expect(draw(1, 'a')).not.toEqual(draw(1, 'b'));
    expect(draw(1, 'a')).not.toEqual(draw(2, 'a'));
  });

  it('draws normals of mean 0 and variance 1, and uniforms of mean 1/2', () => {
    const source = random('moments');
    const normals = Array.from({ length: 20_000 }, () => source.normal());
    const mean = normals.reduce((sum, x) => sum + x, 0) / normals.length;
    const variance = normals.reduce((sum, x) => sum + x * x, 0) / normals.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.04);
    const uniforms = Array.from({ length: 20_000 }, () => source.uniform());
    expect(Math.abs(uniforms.reduce((sum, x) => sum + x, 0) / 20_000 - 0.5)).toBeLessThan(0.01);
  });

  it('permutes', () => {
    const order = permutation(100, random(3));
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect([...order]).not.toEqual([...order].sort((a, b) => a - b));
  });
});
