import { startBackend } from '@mmllm/backends';
import { expectNoLeak } from '@mmllm/conformance';
import { composeModel, disposeImages, type ImageEncoder } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { unified } from '@mmllm/fusion-unified';
import { textAndImages, tokenizerFromJson } from '@mmllm/processors';
import { mlp } from '@mmllm/projectors';
import { frozen, train, trained } from '@mmllm/trainer';
import { clip } from '@mmllm/vision-encoders/clip';
import { fuyu } from '@mmllm/vision-encoders/fuyu';
import { siglip } from '@mmllm/vision-encoders/siglip';
import { beforeAll, expect, it } from 'vitest';
import { processorFile } from './testing/folders';

beforeAll(() => startBackend({ backend: 'wasm' }));

const text = new TextDecoder();
const tokenizer = tokenizerFromJson(
  text.decode(processorFile('llava', 'tokenizer.json')),
  text.decode(processorFile('llava', 'tokenizer_config.json')),
);
const tower = { imageSize: 28, patchSize: 7, hiddenSize: 24, numLayers: 2, numHeads: 2 };

/** LLaVA's shape: all that an encoder changes is its own line. */
const compose = (encoder: ImageEncoder) =>
  composeModel({
    encoder,
    projector: mlp({ numLayers: 2 }),
    fusion: unified(),
    decoder: llama({ vocabSize: tokenizer.vocabSize, hiddenSize: 32, numLayers: 2, numHeads: 4 }),
    processor: textAndImages({ tokenizer, bosToken: '<s>' }),
  });

const sample = {
  prompt: '<image>\nWhat is in this image?',
  images: [processorFile('llava', '0-60x40.png')],
  answer: 'a car',
};

it.each([
  ['clip', () => clip(tower), 16],
  ['siglip', () => siglip(tower), 16],
  // Raw patches of 60 × 40 pixels.
  ['fuyu', () => fuyu({ patchSize: 20 }), 6],
])(
  '%s in the place of an encoder: pictures and token counts follow, and it learns',
  async (_, encoder, tokens) => {
    const model = await compose(encoder());
    const inputs = await model.processor.process([sample], { padding: 'right' });
    expect(inputs.ids.data.filter((id) => id === inputs.imageTokenId)).toHaveLength(tokens);
    disposeImages(inputs.images!);
    const projection = model.parameter('projector.layers.0.weight');
    const before = await projection.read();
    const decoder = await model.parameter('decoder.embedTokens.weight').read();
    const losses: number[] = [];
    await expectNoLeak(async () => {
      await train(model, {
        stages: [
          {
            name: 'align',
            policy: [
              ['projector', trained({ learningRate: 1e-2 })],
              ['**', frozen],
            ],
            data: [sample],
            ...{ steps: 4, batchSize: 1, warmupSteps: 0 },
          },
        ],
        onEvent: (event) => {
          if (event.type === 'step') losses.push(event.loss);
        },
      });
    });
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    expect(await projection.read()).not.toEqual(before);
    expect(await model.parameter('decoder.embedTokens.weight').read()).toEqual(decoder);
    model.dispose();
  },
);
