import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { checkGradients } from './gradients';
import { expectNoLeak } from './leaks';
import { seededRandom } from './random';

function random(shape: number[], seed: number): tf.Tensor {
  const next = seededRandom(seed);
  return tf.tensor(
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * next() - 1),
    shape,
  );
}

/** `x * scale`, with a gradient that is scaled by `wrong` at one element. */
function brokenAt(element: number, wrong: number) {
  return tf.customGrad((x) => {
    const input = x as tf.Tensor;
    return {
      value: tf.mul(input, 2),
      gradFunc: (dy) => {
        const factor = new Float32Array(input.size).fill(2);
        factor[element] = 2 * wrong;
        return tf.mul(dy, tf.tensor(factor, input.shape));
      },
    };
  });
}

describeBackends('checkGradients', () => {
  it('accepts right gradients of every input and leaves no tensor', async () => {
    const [x, w] = [random([3, 4], 1), random([4, 2], 2)];
    await expectNoLeak(async () => {
      await checkGradients((a, b) => tf.softmax(tf.matMul(tf.tanh(a), b)), [x, w]);
    });
    tf.dispose([x, w]);
  });

  it('keeps an input that is handed back as the output', async () => {
    const [x, y] = [random([3], 3), random([3], 4)];
    await checkGradients((a) => a, [x]);
    await checkGradients((a, b) => tf.add(a, tf.mul(b, 0)), [x, y], { wrt: [1] });
    tf.dispose([x, y]);
  });

  it('accepts a gradient of zero', async () => {
    const x = random([3], 3);
    await checkGradients((a) => tf.mul(tf.sin(a), 0), [x]);
    x.dispose();
  });

  it('finds one wrong element and says which', async () => {
    const x = random([2, 3], 4);
    await expect(checkGradients((a) => brokenAt(4, 1.01)(a), [x])).rejects.toThrow(
      /gradient of input 0: at \[1, 1\]/,
    );
    x.dispose();
  });

  it('finds zeros in place of a small gradient', async () => {
    const x = random([5], 5);
    const zeroed = tf.customGrad((a) => ({
      value: tf.mul(a as tf.Tensor, 1e-3),
      gradFunc: (dy) => tf.zerosLike(dy as tf.Tensor),
    }));
    await expect(checkGradients((a) => zeroed(a), [x])).rejects.toThrow('gradient of input 0');
    x.dispose();
  });

  it('finds NaN', async () => {
    const x = random([5], 5);
    await expect(checkGradients((a) => brokenAt(0, Number.NaN)(a), [x])).rejects.toThrow(
      'the gradient is NaN',
    );
    x.dispose();
  });

  it('finds a wrong element that is not in the sample of a large input', async () => {
    const x = random([30, 30], 6);
    await checkGradients((a) => brokenAt(0, 1)(a), [x], { maxElements: 8 });
    await expect(checkGradients((a) => brokenAt(617, 3)(a), [x], { maxElements: 8 })).rejects.toThrow(
      'a random direction',
    );
    x.dispose();
  });

  it('checks only the inputs that are named, and only float32 ones by default', async () => {
    const [x, y, ids] = [random([4], 7), random([4], 8), tf.tensor1d([0, 1, 1, 0], 'int32')];
    const f = (a: tf.Tensor, b: tf.Tensor, i: tf.Tensor1D) => tf.mul(brokenAt(1, 2)(a), tf.gather(b, i));
    await checkGradients(f, [x, y, ids], { wrt: [1] });
    await expect(checkGradients(f, [x, y, ids])).rejects.toThrow('gradient of input 0');
    tf.dispose([x, y, ids]);
  });

  it('uses the projection that is given', async () => {
    const [x, dy] = [random([4], 9), tf.tensor1d([1, 0, 0, 0])];
    await checkGradients((a) => brokenAt(2, 5)(a), [x], { dy });
    await expect(checkGradients((a) => brokenAt(0, 5)(a), [x], { dy })).rejects.toThrow('at [0]');
    tf.dispose([x, dy]);
  });

  it('refuses an output that is not float32', async () => {
    const x = random([4], 10);
    await expect(checkGradients((a) => tf.cast(a, 'int32'), [x])).rejects.toThrow(
      'expected a float32 output',
    );
    x.dispose();
  });
});

describeBackends('expectNoLeak', () => {
  it('lets a function pass that cleans up', async () => {
    await expectNoLeak(() => tf.tidy(() => void tf.add(1, 2)));
  });

  it('counts what is left behind, also by asynchronous functions', async () => {
    const left: tf.Tensor[] = [];
    const leak = async () => {
      await Promise.resolve();
      left.push(tf.scalar(1), tf.scalar(2));
    };
    await expect(expectNoLeak(leak)).rejects.toThrow('2 leaked');
    tf.dispose(left);
  });

  it('notices a tensor of the caller that is gone', async () => {
    const mine = tf.scalar(1);
    await expect(expectNoLeak(() => mine.dispose())).rejects.toThrow('1 too many disposed');
  });
});
