import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBackend } from '@mmllm/backends';
import { memoryStorage, openModelFolder } from '@mmllm/checkpoints';
import { CheckpointError, ConfigError, disposeImages } from '@mmllm/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadModel, type PublishedModel } from '../index';
import { processorFile, publishedFolder } from '../testing/folders';

let model: PublishedModel;
beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
  model = await loadModel(await openModelFolder(await publishedFolder('llava'), { folder: 'model' }));
});
afterAll(() => model.dispose());

const sample = {
  prompt: '<image>\nWhat is in this image?',
  images: [processorFile('llava', '0-60x40.png')],
  answer: 'A cat',
};

it('is saved with all of its files, and loaded again with the same logits', async () => {
  const storage = memoryStorage();
  await model.save(storage, 'mine');
  const again = await loadModel(await openModelFolder(storage, { folder: 'mine' }));
  expect(await storage.list('mine')).toEqual(
    [
      ...['chat_template.jinja', 'config.json', 'model.safetensors'],
      ...['processor_config.json', 'tokenizer.json', 'tokenizer_config.json'],
    ].map((name) => `mine/${name}`),
  );
  const inputs = await model.processor.process([sample], { padding: 'right' });
  const [ours, theirs] = [model.forward(inputs), again.forward(inputs)];
  expect(await ours.data()).toEqual(await theirs.data());
  ours.dispose();
  theirs.dispose();
  disposeImages(inputs.images!);
  again.dispose();
});

it('is saved to a directory and loaded from it by its path, held in fewer bits', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mmllm-save-'));
  const path = join(directory, 'mine');
  await model.save(path, { dtype: 'BF16' });
  await expect(model.save(path)).rejects.toThrow(CheckpointError);
  const progress: number[] = [];
  const again = await loadModel(path, { dtype: 'q8', onProgress: ({ loaded }) => progress.push(loaded) });
  expect(progress.at(-1)).toBe(model.countParameters());
  const [, query] = [...again.namedParameters()].find(([path]) => /^decoder.*qProj/.test(path))!;
  expect(query.type).toBe('q8');
  expect(again.parameter('projector.layers.0.weight').type).toBe('float32');
  const { result } = again.generate(sample, { maxNewTokens: 2, stopIds: [] });
  expect((await result).ids).toHaveLength(2);
  again.dispose();
  rmSync(directory, { recursive: true });
});

it('has a loss over the answers alone', async () => {
  const inputs = await model.processor.process([sample], { padding: 'right' });
  const loss = model.loss(inputs);
  const [value] = await loss.data();
  expect(value).toBeGreaterThan(1);
  expect(value).toBeLessThan(20);
  const { labels: _, ...unlabelled } = inputs;
  expect(() => model.loss(unlabelled)).toThrow(ConfigError);
  loss.dispose();
  disposeImages(inputs.images!);
});
