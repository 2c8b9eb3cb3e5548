import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { Module, type WeightType } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { HELD_TYPES } from '../ops/testing/held';
import { Embedding } from './embedding';
import { holdWeights } from './hold-weights';
import { Linear } from './linear';
import { GatedMlp } from './mlp';
import { RmsNorm } from './norm';

class Tiny extends Module {
  readonly embedTokens = new Embedding(20, 12);
  readonly norm = new RmsNorm(12);
  readonly mlps = [new GatedMlp({ hiddenSize: 12, intermediateSize: 40, activation: 'silu', bias: true })];
  readonly head = new Linear(12, 20);
  /** The same again, under another name. */
  readonly tied = this.embedTokens;

  forward(data: Int32Array): tf.Tensor {
    return tf.tidy(() => {
      const x = this.embedTokens.forward({ data, shape: [1, data.length] });
      const y = this.norm.forward(this.mlps[0]!.forward(x));
      return tf.concat([this.head.forward(y), this.tied.unembed(y)], 2);
    });
  }
}

const ids = Int32Array.of(3, 19, 0);

describeBackends('holdWeights', () => {
  it.each(HELD_TYPES)(
    'holds layers and tables as %s: the same results as with their values',
    async (type) => {
      await expectNoLeak(async () => {
        const [held, plain] = [new Tiny(), new Tiny()];
        held.initialize({ seed: 4 });
        const seen: string[] = [];
        const report = await holdWeights(held, type, {
          onProgress: ({ path, done, total }) => seen.push(`${path} ${done}/${total}`),
        });
        expect(report).toMatchObject({ types: { [type]: 5 }, values: 2 * 240 + 3 * 480 });
        expect(seen[0]).toBe('embedTokens.weight 1/5');
        expect(seen[4]).toBe('head.weight 5/5');
        expect(report.bytes).toBe(
          [...held.namedParameters()].reduce((sum, [, { held: form }]) => sum + (form?.byteLength ?? 0), 0),
        );
        expect([held.norm.weight.type, held.head.bias!.type]).toEqual(['float32', 'float32']);
        for (const [path, parameter] of plain.namedParameters()) {
          parameter.assign(await held.parameter(path).read());
        }
        const [actual, expected] = [held.forward(ids), plain.forward(ids)];
        // Two products in a row of activations in 8 bits.
        await assertTensorsClose(actual, expected, { tolerance: type.startsWith('q') ? 0.02 : 1e-5 });
        tf.dispose([actual, expected]);
        held.dispose();
        plain.dispose();
      });
    },
  );

  it('holds each as the type that its path is given', async () => {
    const tiny = new Tiny();
    tiny.initialize({ seed: 4 });
    const { types } = await holdWeights(tiny, (path) => (path === 'head.weight' ? 'float32' : 'q4_1'));
    expect(types).toEqual({ q4_1: 4, float32: 1 });
    expect([tiny.head.weight.type, tiny.embedTokens.weight.type]).toEqual(['float32', 'q4_1']);
    tiny.dispose();
  });

  it('goes back to float32, and takes weights that come later', async () => {
    await expectNoLeak(async () => {
      const [before, after] = [new Tiny(), new Tiny()];
      before.initialize({ seed: 4 });
      await holdWeights(before, 'q8');
      expect(await holdWeights(after, 'q8')).toMatchObject({ types: { q8: 5 }, bytes: 0 });
      after.initialize({ seed: 4 });
      for (const [path, parameter] of after.namedParameters()) {
        expect(await parameter.read()).toEqual(await before.parameter(path).read());
      }
      const values = await before.head.weight.read();
      const { bytes } = await holdWeights(before, 'float32');
      expect(bytes).toBe(4 * before.countParameters() - 4 * (12 + 20 + 40 + 40 + 12));
      expect(await before.head.weight.value.data()).toEqual(values);
      before.dispose();
      after.dispose();
    });
  });

  it('stops between two weights, and goes on when called again', async () => {
    const model = new Tiny();
    model.initialize();
    const controller = new AbortController();
    const stopping = holdWeights(model, 'bfloat16', {
      signal: controller.signal,
      onProgress: ({ done }) => done === 2 && controller.abort(new Error('enough')),
    });
    await expect(stopping).rejects.toThrow('enough');
    const types = () => [...model.namedParameters()].map(([, { type }]): WeightType => type);
    expect(types().filter((type) => type === 'bfloat16')).toHaveLength(2);
    await holdWeights(model, 'bfloat16');
    expect(types().filter((type) => type === 'bfloat16')).toHaveLength(5);
    model.dispose();
  });

  it('names a weight with a value that the type cannot hold, and leaves it', async () => {
    const layer = new Linear(2, 2);
    layer.weight.path = 'head.weight';
    layer.initialize();
    layer.weight.assign(Float32Array.of(1, 2, 3, 1e6));
    await expect(holdWeights(layer, 'float16')).rejects.toThrow(
      'head.weight: expected values that float16 can hold, got 1000000',
    );
    expect([...(await layer.weight.value.data())]).toEqual([1, 2, 3, 1e6]);
    layer.dispose();
  });
});
