import { type JsonObject, loadWeights, type NameMap } from '@mmllm/checkpoints';
import type { VisionTokenizer } from '@mmllm/core';
import { emu3Vq as emu3, janusVq as janus } from '@mmllm/vq-tokenizer';
import * as tf from '@tensorflow/tfjs-core';
import type { ParityFamilies, ParityFamily } from '.';
import { densePictures } from './pictures';

/** A tokenizer that stands alone in its file, and what it finds codes for. */
interface Alone {
  readonly tokenizer: VisionTokenizer & { latents(pixels: tf.Tensor4D): tf.Tensor4D };
  readonly names: NameMap;
}

/** float32[B, H, W, C] as PyTorch has it, [B, C, H, W]. A tensor is disposed. */
export function channelsFirst(x: tf.Tensor4D): tf.Tensor4D {
  const turned = tf.transpose(x, [0, 3, 1, 2]);
  x.dispose();
  return turned;
}

/** Latents, codes, and the pictures that the codes of the case become. */
const tokenizerAlone =
  (build: (json: JsonObject) => Alone): ParityFamily =>
  async (golden, comparison) => {
    const { tokenizer, names } = build(await golden.config());
    await loadWeights(comparison.own(tokenizer), await golden.weights(), names);
    const { pixels } = densePictures(await golden.floats('in.pixels'));
    comparison.own(pixels);
    if (comparison.wants('out.latent')) {
      await comparison.give('out.latent', channelsFirst(tokenizer.latents(pixels)));
    }
    const found = tokenizer.encode(pixels);
    const shape = golden.shape('out.codes');
    await comparison.give(
      'out.codes',
      tf.tidy(() => tf.reshape(found, [...shape])),
    );
    const codes = tf.tensor((await golden.ints('out.codes')).data, found.shape, 'int32');
    found.dispose();
    const decoded = tokenizer.decode(codes as tf.Tensor3D);
    codes.dispose();
    await comparison.give('out.decoded', channelsFirst(decoded));
  };

export const vqFamilies: ParityFamilies = {
  'janus-vq': tokenizerAlone((json) => {
    const config = janus.checkpoint.config(json);
    return { tokenizer: janus(config), names: janus.checkpoint.names(config) };
  }),
  'emu3-vq': tokenizerAlone((json) => {
    const config = emu3.checkpoint.config(json);
    return { tokenizer: emu3(config), names: emu3.checkpoint.names(config) };
  }),
};
