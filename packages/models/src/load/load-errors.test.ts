import { startBackend } from '@mmllm/backends';
import { type JsonObject, openModelFolder } from '@mmllm/checkpoints';
import { expectNoLeak } from '@mmllm/conformance';
import { type ContentPart, type Message, PlaceholderCountError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, type PublishedModel } from '../index';
import { fittingConfig, processorFile, publishedFolder } from '../testing/folders';

beforeAll(() => startBackend({ backend: 'wasm' }));

const open = async (...args: Parameters<typeof publishedFolder>) =>
  openModelFolder(await publishedFolder(...args), { folder: 'model' });

/** LLaVA with another configuration than its weights have. */
const changed = async (change: JsonObject) => {
  const folder = await open('llava');
  const config = { ...(await folder.config()), ...change };
  return Object.assign(folder, { config: async () => config });
};

describe('loadModel refuses, and leaves no tensor', () => {
  const refused = async (folder: Parameters<typeof loadModel>[0], message: string | RegExp) => {
    const before = tf.memory().numTensors;
    await expect(loadModel(folder)).rejects.toThrow(message);
    expect(tf.memory().numTensors).toBe(before);
  };

  it('a missing file of the processor, naming it', async () => {
    await refused(
      await open('llava', { without: ['tokenizer.json'] }),
      "expected 'tokenizer.json', got no such file",
    );
    await refused(
      await open('pixtral', { without: ['processor_config.json'] }),
      "processor: expected 'processor_config.json' or 'preprocessor_config.json', got no such file",
    );
  });

  it('a system that nobody knows, and values outside the known set', async () => {
    await refused(await changed({ model_type: 'gpt5' }), 'config.json model_type: expected llava, ');
    await refused(
      await changed({ vision_feature_select_strategy: 'most' }),
      'vision_feature_select_strategy',
    );
  });

  it('a tokenizer and a configuration that name different image tokens', async () => {
    const config = await changed({ image_token_index: 9 });
    await refused(
      config,
      "tokenizer.json: expected '<image>' with the id 9 that config.json names, got the id",
    );
  });

  it('weights that do not fit', async () => {
    const text = fittingConfig('llava').text_config as JsonObject;
    await refused(await changed({ text_config: { ...text, num_hidden_layers: 3 } }), 'missing');
  });

  it('a folder that is not there', async () => {
    await refused('./no/such/folder', './no/such/folder: expected a folder with a model, got no such folder');
  });
});

describe('a model from files', () => {
  let model: PublishedModel;
  const image = processorFile('llava', '0-60x40.png');
  const ask = (...content: ContentPart[]): Message[] => [{ role: 'user', content }];
  const text = (text: string): ContentPart => ({ type: 'text', text });

  beforeAll(async () => {
    model = await loadModel(await open('llava'));
  });
  afterAll(() => model.dispose());

  const refused = (input: Parameters<PublishedModel['generate']>[0], message: string) =>
    expectNoLeak(async () => {
      const { result } = model.generate(input, { maxNewTokens: 1 });
      const error = await Promise.resolve(result).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(PlaceholderCountError);
      expect(String(error)).toContain(message);
    });

  it('refuses more pictures than placeholders', () =>
    refused(
      { prompt: '<image> What is this?', images: [image, image] },
      "samples[0]: expected one '<image>' for each of 2 pictures, got 1",
    ));

  it('refuses an image token in a prompt without pictures', () =>
    refused(
      { messages: ask(text('What is <image>?')) },
      "samples[0]: expected one '<image>' for each of 0 pictures, got 1",
    ));

  it('says which file would bring a processor', async () => {
    const plain = await loadModel(await open('llava'), { processor: false });
    expect(plain.hasProcessor).toBe(false);
    expect(() => plain.processor).toThrow("model.processor of LLaVA-1.5: expected 'tokenizer.json'");
    plain.dispose();
  });
});
