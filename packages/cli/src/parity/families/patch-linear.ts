import { loadWeights, type WeightSource } from '@mmllm/checkpoints';
import { patchConv } from '@mmllm/vision-encoders/patch-conv';
import { patchLinear as patchProduct } from '@mmllm/vision-encoders/patch-linear';
import * as tf from '@tensorflow/tfjs-core';
import type { ParityCase } from '../case';
import type { ParityFamily } from '.';
import { densePictures } from './pictures';

/** The linear layer on flattened patches and the strided convolution, each against the same tokens. */
export const patchLinear: ParityFamily = async (golden, comparison) => {
  const pixels = await golden.floats('in.pixels');
  const [batchSize, , height, width] = pixels.shape;
  const [hiddenSize, , , patchSize] = (await golden.floats('weight')).shape;
  const batch = densePictures(pixels);
  for (const factory of [patchProduct, patchConv]) {
    const encoder = factory({
      patchSize,
      hiddenSize,
      inputSize: { height, width },
      bias: golden.has('bias'),
    });
    await loadWeights(encoder, weightsOf(golden), factory.checkpoint.names({ patchSize }));
    const tokens = tf.tidy(() => tf.reshape(encoder.encode(batch).features, [batchSize, -1, hiddenSize]));
    await comparison.give('out.tokens', tokens);
    encoder.dispose();
  }
  batch.pixels.dispose();
};

/** The convolution's weights, which stand beside the inputs. */
function weightsOf(golden: ParityCase): WeightSource {
  const keys = golden.names.filter((name) => !name.startsWith('in.') && !name.startsWith('out.'));
  return {
    name: golden.name,
    keys: () => keys,
    shape: golden.shape,
    read: async (key) => (await golden.floats(key)).data,
  };
}
