import { startBackend } from '@mmllm/backends';
import { loadWeights } from '@mmllm/checkpoints';
import { dequantize, type GgufFile, ggufTypes, ggufWeights } from '@mmllm/checkpoints/gguf';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { type Decoder, textOrder } from '@mmllm/core';
import { holdWeights } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { openGgufFixture } from '../testing/gguf';
import { llama } from './index';

// Q4_1 and Q8_0, as SmolLM2-135M-Instruct is published.
const FILE = '../tokens/model.gguf';

async function load(file: GgufFile, asStored: boolean): Promise<Decoder> {
  const config = await llama.gguf.config(file);
  const names = llama.gguf.names(config);
  const decoder = llama(config);
  if (asStored) await holdWeights(decoder, ggufTypes(file, names));
  await loadWeights(decoder, ggufWeights(file), names);
  return decoder;
}

describe.each(['cpu', 'wasm'] as const)('a GGUF file as it is stored, on %s', (backend) => {
  beforeAll(() => startBackend({ backend }));

  it('gives every value that ggml gives', async () => {
    const file = await openGgufFixture(FILE);
    await expectNoLeak(async () => {
      const [held, plain] = [await load(file, true), await load(file, false)];
      const types = new Map<string, number>();
      for (const [path, parameter] of plain.namedParameters()) {
        const { type } = held.parameter(path);
        types.set(type, (types.get(type) ?? 0) + 1);
        expect(await held.parameter(path).read(), path).toEqual(await parameter.read());
      }
      expect(Object.fromEntries(types)).toEqual({ q8: 11, q4_1: 11, float32: 7 });
      held.dispose();
      plain.dispose();
    });
  });

  it('passes the gradient of what a projector gives it', async () => {
    const file = await openGgufFixture(FILE);
    await expectNoLeak(async () => {
      const [held, plain] = [await load(file, true), await load(file, false)];
      const order = textOrder({ ids: { data: new Int32Array(12), shape: [1, 12] } });
      const embeddings = tf.randomNormal<tf.Rank.R3>([1, 12, held.hiddenSize], 0, 1, 'float32', 3);
      const [actual, expected] = [held, plain].map((decoder) =>
        tf.tidy(() =>
          tf.grad((x) =>
            tf.sum(tf.square(decoder.forward({ embeddings: x as tf.Tensor3D, ...order }).hidden)),
          )(embeddings),
        ),
      );
      await assertTensorsClose(actual!, expected!, { tolerance: 1e-4 });
      tf.dispose([embeddings, actual!, expected!]);
      held.dispose();
      plain.dispose();
    });
  });
});

it('takes the memory of the file, and not that of float32', async () => {
  await startBackend({ backend: 'wasm' });
  const file = await openGgufFixture(FILE);
  const before = tf.memory().numBytes;
  const decoder = await load(file, true);
  let stored = 0;
  for (const name of file.tensors.keys()) {
    const { start, end } = file.span(name);
    stored += end - start;
  }
  // Scales and minimums are float32 instead of float16: 24 bytes a group of q4_1 instead of 20, 36 of q8 instead of 34.
  expect(tf.memory().numBytes - before).toBeLessThan(1.2 * stored);
  expect(dequantize(await file.read('token_embd.weight'))).toHaveLength(
    decoder.parameter('embedTokens.weight').size,
  );
  decoder.dispose();
});
