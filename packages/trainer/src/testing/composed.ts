import {
  composeModel,
  type FusionFactory,
  type ImageEncoder,
  type MultimodalModel,
  type Picture,
  random,
  type Sample,
} from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { crossAttention, hybrid } from '@mmllm/fusion-cross-attn';
import { unified } from '@mmllm/fusion-unified';
import { textAndImages, wordTokenizer } from '@mmllm/processors';
import { mlp } from '@mmllm/projectors';
import { clip } from '@mmllm/vision-encoders/clip';
import { fuyu } from '@mmllm/vision-encoders/fuyu';
import { siglip } from '@mmllm/vision-encoders/siglip';

export const tower = {
  imageSize: 8,
  patchSize: 4,
  hiddenSize: 8,
  numLayers: 2,
  numHeads: 2,
  intermediateSize: 12,
};

export const encoders = {
  clip: () => clip(tower),
  siglip: () => siglip(tower),
  fuyu: () => fuyu({ patchSize: 4, maxSize: { height: 8, width: 8 } }),
} satisfies Record<string, () => ImageEncoder>;

const layers = { every: 2, numHeads: 2, intermediateSize: 16 };

export const fusions = {
  unified: () => unified(),
  'cross-attention': () => crossAttention(layers),
  hybrid: () => hybrid(layers),
} satisfies Record<string, () => FusionFactory>;

export const colours = ['red', 'green', 'blue', 'grey'] as const;

/** Eight noisy pictures of one colour each. */
export const pictures: readonly { readonly picture: Picture; readonly colour: string }[] = Array.from(
  { length: 8 },
  (_, i) => {
    const source = random('picture', i);
    const channel = i % colours.length;
    const data = Uint8Array.from({ length: 8 * 8 * 3 }, (_, j) =>
      channel === 3 || j % 3 === channel ? 200 + source.integer(50) : source.integer(50),
    );
    return { picture: { data, width: 8, height: 8 }, colour: colours[channel] };
  },
);

/** Two questions to each picture. */
export const questions: readonly Sample[] = pictures.flatMap(({ picture, colour }) => [
  { prompt: '<image> which colour ?', images: [picture], answer: colour },
  { prompt: '<image> is it red ?', images: [picture], answer: colour === 'red' ? 'yes , it is' : 'no' },
]);

export const tokenizer = wordTokenizer(['which colour ? is it red , yes no green blue grey']);

/** A small model of real parts. The caller disposes it. */
export function compose(
  encoder: keyof typeof encoders | ImageEncoder = 'clip',
  fusion: keyof typeof fusions = 'unified',
): Promise<MultimodalModel> {
  return composeModel({
    encoder: typeof encoder === 'string' ? encoders[encoder]() : encoder,
    projector: mlp(),
    fusion: fusions[fusion](),
    decoder: llama({
      vocabSize: tokenizer.vocabSize,
      hiddenSize: 16,
      numLayers: 2,
      numHeads: 2,
      intermediateSize: 16,
      maxLength: 32,
    }),
    processor: textAndImages({ tokenizer }),
  });
}
