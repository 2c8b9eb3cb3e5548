import { startBackend, stopBackend } from '@mmllm/backends';
import { composeModel, type Picture, type Sample } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { unified } from '@mmllm/fusion-unified';
import { textAndImages, wordTokenizer } from '@mmllm/processors';
import { mlp } from '@mmllm/projectors';
import { siglip } from '@mmllm/vision-encoders/siglip';
import * as tf from '@tensorflow/tfjs-core';
import { beforeEach, expect, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { boundPool } from '../../backends/src/open/bounded-pool';
import { train, trained } from '.';

type BufferManager = Parameters<typeof boundPool>[0];

const tokenizer = wordTokenizer(['which colour ? grey']);

const picture = (value: number): Picture => ({
  data: new Uint8Array(16 * 16 * 3).fill(value),
  width: 16,
  height: 16,
});

/** Answers of `words(i)` words. */
const samples = (words: (i: number) => number): readonly Sample[] =>
  Array.from({ length: 16 }, (_, i) => ({
    prompt: '<image> which colour ?',
    images: [picture(10 * i)],
    answer: Array(words(i)).fill('grey').join(' '),
  }));

const compose = (width: number) =>
  composeModel({
    encoder: siglip({ imageSize: 16, patchSize: 4, hiddenSize: width, numLayers: 2, numHeads: 2 }),
    projector: mlp(),
    fusion: unified(),
    decoder: llama({
      vocabSize: tokenizer.vocabSize,
      hiddenSize: width,
      numLayers: 2,
      numHeads: 2,
      intermediateSize: 2 * width,
      maxLength: 64,
    }),
    processor: textAndImages({ tokenizer }),
  });

/** Bytes that the backend has taken from the machine. */
function heldBytes(): number {
  const backend = tf.backend() as {
    wasm?: { asm?: { memory?: WebAssembly.Memory }; wasmMemory?: WebAssembly.Memory };
    bufferManager?: { numBytesAllocated: number };
  };
  const memory = backend.wasm?.asm?.memory ?? backend.wasm?.wasmMemory;
  return memory?.buffer.byteLength ?? backend.bufferManager?.numBytesAllocated ?? 0;
}

/** What is alive and what is held after each step. */
async function memoryOverSteps(data: readonly Sample[], { width, steps }: { width: number; steps: number }) {
  const model = await compose(width);
  const seen: { numTensors: number; numBytes: number; held: number }[] = [];
  const stage = { name: 'all', policy: [['**', trained()]] as const, data, steps, batchSize: 8 };
  for await (const _ of train(model, { stages: [stage] })) {
    const { numTensors, numBytes } = tf.memory();
    seen.push({ numTensors, numBytes, held: heldBytes() });
  }
  model.dispose();
  return seen;
}

describeBackends('the memory of training steps', (backend) => {
  // On wasm more than the memory has at the start; GPUs in software are slow.
  const size = { width: backend === 'wasm' ? 192 : 8, steps: backend.startsWith('web') ? 8 : 20 };

  beforeEach(async () => {
    await stopBackend();
    await startBackend({ backend });
  });

  it('does not grow from the third step on', { timeout: 180_000 }, async () => {
    const start = heldBytes();
    const seen = await memoryOverSteps(
      samples(() => 5),
      size,
    );
    for (const state of seen.slice(3)) expect(state).toEqual(seen[2]);
    if (backend === 'wasm' || backend === 'webgpu') expect(seen[2].held).toBeGreaterThan(start);
  });

  if (backend === 'wasm') {
    it('does not grow with batches of changing lengths once the longest was there', async () => {
      const uneven = samples((i) => 1 + ((i * 11) % 30));
      const seen = await memoryOverSteps(uneven, { ...size, steps: 60 });
      // Two batches an epoch, of which one has the longest sample.
      for (const state of seen.slice(10)) expect(state).toEqual(seen[9]);
    });
  }

  if (backend === 'webgpu') {
    it('keeps few free buffers, whatever the lengths of batches', { timeout: 180_000 }, async () => {
      const { bufferManager } = tf.backend() as unknown as { bufferManager: BufferManager };
      const freeBytes = () => bufferManager.numBytesAllocated - bufferManager.numBytesUsed;
      const most = 50_000;
      // The check of the backend has left some, of which the second bound does not know.
      const before = freeBytes();
      boundPool(bufferManager, most);
      const uneven = samples((i) => 1 + ((i * 11) % 30));
      const model = await compose(size.width);
      const stage = {
        name: 'all',
        policy: [['**', trained()]] as const,
        data: uneven,
        steps: 6,
        batchSize: 4,
      };
      for await (const _ of train(model, { stages: [stage] })) {
        expect(freeBytes()).toBeLessThanOrEqual(most + before);
        // Not for want of buffers.
        expect(bufferManager.numBytesAllocated).toBeGreaterThan(2 * most);
      }
      model.dispose();
    });
  }
});
