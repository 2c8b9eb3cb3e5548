import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it, vi } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { holdWeight } from './held/hold';
import { linear } from './linear';
import { recompute } from './recompute';
import { rmsNorm } from './rms-norm';
import { valuesAndGradients } from './tape';

const WIDTH = 8;
const random = (shape: [number, number], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed);

/** Weights of three layers, each a norm's and two matrices, and one that no layer uses. */
function makeWeights() {
  return tf.tidy(() =>
    Array.from({ length: 3 }, (_, i) => ({
      gain: tf.variable(tf.add(tf.ones([WIDTH]), 0.1 * i)) as tf.Variable<tf.Rank.R1>,
      up: tf.variable(random([WIDTH, 4 * WIDTH], 2 * i + 1)) as tf.Variable<tf.Rank.R2>,
      down: tf.variable(random([4 * WIDTH, WIDTH], 2 * i + 2)) as tf.Variable<tf.Rank.R2>,
      unused: tf.variable(tf.ones([2])),
    })),
  );
}

type Weights = ReturnType<typeof makeWeights>[number];

/** The layer's state, and a loss of its own. */
function layer(x: tf.Tensor, { gain, up, down }: Weights): tf.Tensor[] {
  return tf.tidy(() => {
    const inner = linear(rmsNorm(x, gain, 1e-5), up, { activation: 'silu' });
    return [linear(inner, down, { residual: x }), tf.mean(tf.square(inner))];
  });
}

/** Sums of the last state's squares and of the layers' losses. */
function lossOf(weights: readonly Weights[], x: tf.Tensor, checkpointing: boolean): tf.Tensor {
  return tf.tidy(() => {
    let state = x;
    const losses = weights.map((own) => {
      const run = (input: tf.Tensor) => layer(input, own);
      const [output, loss] = checkpointing ? recompute(run, [state], Object.values(own)) : run(state);
      state = output;
      return loss;
    });
    return tf.addN([tf.mean(tf.square(state)), ...losses]);
  });
}

/** Most bytes at the end of any kernel. */
function peakOf<T>(run: () => T): { result: T; peak: number } {
  let peak = 0;
  const engine = tf.engine();
  const runKernel = engine.runKernel.bind(engine);
  const spy = vi.spyOn(engine, 'runKernel').mockImplementation((name, inputs, attrs) => {
    const outputs = runKernel(name, inputs, attrs);
    peak = Math.max(peak, tf.memory().numBytes);
    return outputs as never;
  });
  try {
    const result = run();
    return { result, peak };
  } finally {
    spy.mockRestore();
  }
}

describeBackends('recompute', () => {
  const step = (xs: readonly tf.Tensor[], weights: Weights[], x: tf.Tensor, checkpointing: boolean) =>
    peakOf(() =>
      valuesAndGradients(
        () => [lossOf(weights, x, checkpointing)],
        xs,
        () => [tf.ones([])],
      ),
    );

  const select: Record<string, (weights: Weights[], x: tf.Tensor) => tf.Tensor[]> = {
    everything: (weights, x) => [x, ...weights.flatMap((own) => Object.values(own))],
    'the input alone': (_weights, x) => [x],
    'one weight in the middle': (weights) => [weights[1].up],
  };

  it.each(Object.entries(select))('gives the same bits in less memory: %s', async (_what, pick) => {
    const weights = makeWeights();
    const x = random([128, WIDTH], 9);
    const xs = pick(weights, x);
    await expectNoLeak(async () => {
      const { result: plain, peak: most } = step(xs, weights, x, false);
      const { result: saving, peak } = step(xs, weights, x, true);
      expect(peak).toBeLessThan(most);
      await assertTensorsClose(saving.values[0], plain.values[0], { tolerance: 0 });
      for (const [i, gradient] of plain.gradients.entries()) {
        expect(saving.gradients[i] === undefined).toBe(gradient === undefined);
        if (gradient) await assertTensorsClose(saving.gradients[i]!, gradient, { tolerance: 0 });
      }
      tf.dispose([plain.values, saving.values]);
      for (const { gradients } of [plain, saving]) for (const gradient of gradients) gradient?.dispose();
    });
    tf.dispose([x, ...weights.flatMap((own) => Object.values(own))]);
  });

  it('runs no layer again that nothing asks for, and once each that something does', async () => {
    const weights = makeWeights();
    const x = random([4, WIDTH], 9);
    const runs = [0, 0, 0];
    const loss = () => {
      let state: tf.Tensor = x;
      weights.forEach((own, i) => {
        const run = (input: tf.Tensor) => {
          runs[i]++;
          return layer(input, own).slice(0, 1);
        };
        [state] = recompute(run, [state], Object.values(own));
      });
      return [tf.sum(state)];
    };
    const { values, gradients } = valuesAndGradients(loss, [weights[1].up], () => [tf.ones([])]);
    expect(runs).toEqual([1, 2, 2]);
    tf.dispose([values, gradients as tf.Tensor[]]);
    tf.dispose(tf.tidy(loss));
    expect(runs).toEqual([2, 3, 3]);
    tf.dispose([x, ...weights.flatMap((own) => Object.values(own))]);
  });

  it('works under the gradients of tfjs', async () => {
    const weights = makeWeights();
    const x = random([4, WIDTH], 9);
    await expectNoLeak(async () => {
      const [plain, saving] = [false, true].map((on) => {
        const loss = (input: tf.Tensor) => {
          const run = (state: tf.Tensor) => layer(state, weights[0]).slice(0, 1);
          const { unused: _, ...used } = weights[0];
          return tf.sum(on ? recompute(run, [input], Object.values(used))[0] : run(input)[0]);
        };
        return tf.grad(loss)(x);
      });
      await assertTensorsClose(saving, plain, { tolerance: 0 });
      tf.dispose([plain, saving]);
    });
    tf.dispose([x, ...weights.flatMap((own) => Object.values(own))]);
  });

  it('lets gradients through a held weight', async () => {
    const values = Float32Array.from({ length: WIDTH * WIDTH }, (_, i) => Math.sin(i));
    const held = holdWeight({ values, shape: [WIDTH, WIDTH], inputAxis: 0 }, 'q8');
    const x = random([4, WIDTH], 9);
    const run = (input: tf.Tensor) => [tf.tidy(() => tf.square(linear(input, held)))];
    const [plain, saving] = [run, (input: tf.Tensor) => recompute(run, [input], [])].map((piece) =>
      valuesAndGradients(
        () => [tf.tidy(() => tf.sum(piece(x)[0]))],
        [x],
        () => [tf.ones([])],
      ),
    );
    await assertTensorsClose(saving.gradients[0]!, plain.gradients[0]!, { tolerance: 0 });
    expect(Math.abs((await saving.gradients[0]!.data())[0])).toBeGreaterThan(0);
    tf.dispose([x, plain.values, saving.values, plain.gradients[0]!, saving.gradients[0]!]);
    held.dispose();
  });

  it('frees all when the piece throws, now or in the backward pass', async () => {
    const x = random([4, WIDTH], 9);
    for (const good of [0, 1]) {
      await expectNoLeak(() => {
        let runs = 0;
        const run = (input: tf.Tensor) => {
          const output = tf.square(input);
          if (runs++ >= good) throw new Error('on purpose');
          return [output];
        };
        const step = () =>
          valuesAndGradients(
            () => [tf.sum(recompute(run, [x], [])[0])],
            [x],
            () => [tf.ones([])],
          );
        expect(step).toThrow('on purpose');
      });
    }
    x.dispose();
  });
});
