import { composeModel, type ImageEncoder, type MultimodalModel } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { crossAttention, hybrid } from '@mmllm/fusion-cross-attn';
import { unified } from '@mmllm/fusion-unified';
import { type JsonTokenizer, textAndImages } from '@mmllm/processors';
import { linear } from '@mmllm/projectors';
import { ClipModel, clip, clipText } from '@mmllm/vision-encoders/clip';
import { fuyu } from '@mmllm/vision-encoders/fuyu';
import { isPooled, SiglipModel, siglip, siglipText } from '@mmllm/vision-encoders/siglip';
import type { Sizes } from './recipes';

/** The pictures are mostly light background: with this their values lie around zero. */
export const normalisation = { mean: [0.9, 0.9, 0.9], std: [0.2, 0.2, 0.2] } as const;

/** The image encoders: two towers, and raw patches. */
export const encoders = {
  siglip: ({ patchSize, encoder }: Sizes) =>
    siglip({ imageSize: 64, patchSize, ...encoder, normalisation, poolingHead: false }),
  clip: ({ patchSize, encoder }: Sizes) => clip({ imageSize: 64, patchSize, ...encoder, normalisation }),
  fuyu: ({ patchSize }: Sizes): ImageEncoder => fuyu({ patchSize, normalisation }),
};

export const fusions = {
  unified: () => unified(),
  'cross-attention': ({ decoder: { numHeads } }: Sizes) => crossAttention({ every: 1, numHeads }),
  hybrid: ({ decoder: { numHeads } }: Sizes) => hybrid({ every: 1, numHeads }),
};

export interface Choice {
  readonly encoder: keyof typeof encoders;
  readonly fusion: keyof typeof fusions;
  readonly seed: number;
}

/** The whole composition: each choice changes one line of it. */
export function compose(choice: Choice, sizes: Sizes, tokenizer: JsonTokenizer): Promise<MultimodalModel> {
  return composeModel(
    {
      encoder: encoders[choice.encoder](sizes),
      projector: linear(),
      fusion: fusions[choice.fusion](sizes),
      decoder: llama({ vocabSize: tokenizer.vocabSize, maxLength: 256, ...sizes.decoder }),
      processor: textAndImages({ tokenizer, bosToken: '<s>' }),
    },
    { seed: choice.seed },
  );
}

/**
 * The model of two towers in which a model's encoder learns, with a small text tower; undefined for raw patches, which
 * have nothing to learn.
 */
export function twoTowers(
  { encoder, processor }: MultimodalModel,
  { text }: Sizes,
): ClipModel | SiglipModel | undefined {
  if (!encoder || !isPooled(encoder)) return undefined;
  const { vocabSize } = processor.tokenizer;
  if (encoder.name === 'clip')
    return new ClipModel({ vision: encoder, text: clipText({ vocabSize, ...text }) });
  return new SiglipModel({
    vision: encoder,
    text: siglipText({ vocabSize, projectionSize: encoder.pooledSize, ...text }),
    // A picture belongs to about one caption in five of its batch.
    initialBias: -3,
  });
}
