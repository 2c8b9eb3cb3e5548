import { startBackend } from '@mmllm/backends';
import { type AttentionRule, ConfigError, MmllmError, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { attention } from './attention';
import { crossEntropy } from './cross-entropy';
import { embedding } from './embedding';
import { layerNorm } from './layer-norm';
import { linear } from './linear';
import { matmul } from './matmul';
import { rmsNorm } from './rms-norm';
import { rope } from './rope';
import { selectRows } from './select-rows';
import { sigmoidPairLoss } from './sigmoid-pair-loss';
import { softCrossEntropy } from './soft-cross-entropy';

beforeAll(async () => {
  await startBackend({ backend: 'cpu' });
});

const zeros = <R extends tf.Rank>(...shape: number[]) => tf.zeros<R>(shape as tf.ShapeMap[R]);
const matrix = (rows: number, columns: number) => zeros<tf.Rank.R2>(rows, columns);
const batch = (...shape: [number, number, number]) => zeros<tf.Rank.R3>(...shape);
const int = (...values: number[]) => Int32Array.from(values);

function attend(rule: AttentionRule, numHeads = 2, numKeyValueHeads = 2) {
  return attention(batch(2, 3, 4), batch(2, 5, 4), batch(2, 5, 4), rule, { numHeads, numKeyValueHeads });
}

const refusals: [what: string, call: () => unknown, error: typeof MmllmError, text: string][] = [
  [
    'ranks that differ',
    () => matmul(matrix(2, 3), batch(1, 3, 2)),
    ShapeError,
    'matmul: expected two matrices',
  ],
  ['vectors', () => matmul(tf.zeros([3]), tf.zeros([3])), ShapeError, 'got [3] and [3]'],
  [
    'batches that differ',
    () => matmul(batch(2, 3, 3), batch(3, 3, 3)),
    ShapeError,
    'got [2, 3, 3] and [3, 3, 3]',
  ],
  ['another width', () => linear(matrix(2, 3), matrix(4, 5)), ShapeError, 'linear: expected x of [..., 4]'],
  ['a weight that is no matrix', () => linear(matrix(2, 3), tf.zeros([3])), ShapeError, 'weight [3]'],
  [
    'another bias',
    () => linear(matrix(2, 3), matrix(3, 5), { bias: tf.zeros([3]) }),
    ShapeError,
    'a bias of [5], got [3]',
  ],
  [
    'another gain',
    () => layerNorm(matrix(2, 3), tf.zeros([2]), undefined, 1e-5),
    ShapeError,
    'layerNorm: expected x of [..., D] and parameters of [3], got x [2, 3], gain [2]',
  ],
  [
    'another bias of a norm',
    () => layerNorm(matrix(2, 3), tf.zeros([3]), tf.zeros([1, 3]), 1e-5),
    ShapeError,
    'bias [1, 3]',
  ],
  [
    'a scalar',
    () => rmsNorm(tf.scalar(1), tf.zeros([1]), 1e-5),
    ShapeError,
    'rmsNorm: expected x of [..., D]',
  ],
  ['heads that do not divide', () => attend({ causal: true }, 3, 3), ConfigError, 'width 4, numHeads 3'],
  ['key heads that do not divide', () => attend({ causal: true }, 4, 3), ConfigError, 'numKeyValueHeads 3'],
  [
    'keys of another width',
    () => attend({ causal: true }, 4, 2),
    ShapeError,
    'attention: expected k and v of [2, S, 2]',
  ],
  [
    'starts for another batch',
    () => attend({ causal: true, start: int(0) }),
    ShapeError,
    '2 values of start, got 1',
  ],
  [
    'blocks of queries only',
    () => attend({ causal: true, queryBlocks: new Int32Array(6) }),
    ShapeError,
    'queryBlocks and keyBlocks together, got one of them',
  ],
  [
    'blocks of another length',
    () => attend({ causal: true, queryBlocks: new Int32Array(6), keyBlocks: new Int32Array(6) }),
    ShapeError,
    '10 values of keyBlocks, got 6',
  ],
  [
    'a bias without a shape',
    () => attend({ causal: true, bias: new Float32Array(15) }),
    ShapeError,
    'bias and biasShape together',
  ],
  [
    'a bias of another shape',
    () => attend({ causal: true, bias: new Float32Array(9), biasShape: [1, 1, 3, 3] }),
    ShapeError,
    'a bias of [2 or 1, 2 or 1, 3, 5], got 9 values of [1, 1, 3, 3]',
  ],
  [
    'tables of another length',
    () => rope(batch(1, 3, 4), batch(1, 2, 1), batch(1, 2, 1), { numHeads: 2 }),
    ShapeError,
    'rope: expected tables of [1 or 1, 3, 1] for 2 heads',
  ],
  [
    'a rotation wider than the head',
    () => rope(batch(1, 3, 4), batch(1, 3, 2), batch(1, 3, 2), { numHeads: 2, rotaryDim: 4 }),
    ShapeError,
    'rope: expected tables',
  ],
  [
    'ids outside the table',
    () => embedding(matrix(3, 2), int(0, 3), [2]),
    ConfigError,
    'ids from 0 to 2, got 3',
  ],
  ['ids below zero', () => embedding(matrix(3, 2), int(-1), [1]), ConfigError, 'ids from 0 to 2, got -1'],
  [
    'ids that do not fill the shape',
    () => embedding(matrix(3, 2), int(0, 1), [3]),
    ShapeError,
    'ids of [3], got [3, 2] and 2 ids',
  ],
  ['a row twice', () => selectRows(matrix(3, 2), int(1, -1, 1)), ConfigError, 'got row 1 twice'],
  [
    'a row outside',
    () => selectRows(matrix(3, 2), int(3)),
    ConfigError,
    'rows from 0 to 2, or -1, got row 3',
  ],
  [
    'targets outside',
    () => crossEntropy(matrix(2, 3), int(0, 3)),
    ConfigError,
    'targets from 0 to 2, or -100, got 3',
  ],
  [
    'too few targets',
    () => crossEntropy(matrix(2, 3), int(0)),
    ShapeError,
    'N targets, got [2, 3] and 1 targets',
  ],
  [
    'probabilities of another shape',
    () => softCrossEntropy(matrix(2, 3), matrix(3, 2)),
    ShapeError,
    'softCrossEntropy',
  ],
  [
    'labels of another shape',
    () => sigmoidPairLoss(matrix(2, 3), matrix(3, 2)),
    ShapeError,
    'sigmoidPairLoss',
  ],
];

describe('the ops refuse, before any kernel runs,', () => {
  it.each(refusals)('%s', (_what, call, error, text) => {
    let thrown: unknown;
    tf.tidy(() => {
      try {
        call();
      } catch (caught) {
        thrown = caught;
      }
    });
    expect(error.isInstance(thrown)).toBe(true);
    expect(MmllmError.isInstance(thrown) && thrown.message).toContain(text);
  });

  it('a gradient of position tables', () => {
    const message = 'rope: expected tables that nothing trained depends on';
    tf.tidy(() => {
      const [x, cos, sin] = [batch(1, 1, 2), batch(1, 1, 1), batch(1, 1, 1)];
      const ofTable = (table: tf.Tensor) => rope(x, table as tf.Tensor3D, sin, { numHeads: 1 });
      expect(() => tf.grad(ofTable)(cos)).toThrow(message);
    });
  });
});
