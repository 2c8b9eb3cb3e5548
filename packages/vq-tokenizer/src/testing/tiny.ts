import type { VisionTokenizer } from '@mmllm/core';
import type * as tf from '@tensorflow/tfjs-core';
import { emu3Vq, janusVq } from '../index';

/** A tokenizer that says what it finds codes for. */
export type Tokenizer = VisionTokenizer & { latents(pixels: tf.Tensor4D): tf.Tensor4D };

const sizes = { baseChannels: 32, channelMultipliers: [1, 2], numResBlocks: 1, codebookSize: 11 };

export const tinyTokenizers: Readonly<Record<string, () => Tokenizer>> = {
  janus: () => janusVq({ ...sizes, codeSize: 3, latentSize: 5, imageSize: 8 }),
  emu3: () => emu3Vq({ ...sizes, codeSize: 4, attentionLevels: [1], numHeads: 2 }),
};
