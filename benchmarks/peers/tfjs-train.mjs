import * as tf from '@tensorflow/tfjs';
import { causalMask, rotaryTables } from './tfjs-layers.mjs';
import { clipTokens, llama, projector } from './tfjs-models.mjs';
import { loadWeights, under } from './tfjs-weights.mjs';

/** The loss is over the last tokens of each text. */
const NUM_TARGETS = 16;

/**
 * The full training step of the small LLaVA of `make_models.py`: a function that takes it and returns the loss before.
 * The wasm backend lacks the gradient of gather, so words are read by a product with one-hot rows. Adam is AdamW
 * without decay.
 */
export function trainingStep({ config, file, batch }) {
  const weights = loadWeights(file, (tensor, name) => tf.variable(tensor, true, name));
  // The last norm of the encoder is for the class token alone, which the projector never sees.
  const trained = Object.entries(weights).flatMap(([name, variable]) =>
    name.includes('post_layernorm') ? [] : [variable],
  );
  const [vision, bridge, text] = ['vision_tower.', 'multi_modal_projector.', 'language_model.model.'].map(
    (prefix) => under(weights, prefix),
  );
  const { vision_config: visionConfig, text_config: textConfig } = config;
  const table = text['embed_tokens.weight'];
  const [size, length] = batch.input_ids.shape;
  const pixels = tf.tensor4d(batch.pixel_values.data, batch.pixel_values.shape);
  const oneHot = (from) =>
    tf.tidy(() => {
      const ids = tf.tensor2d(batch.input_ids.data, [size, length], 'int32');
      return tf.oneHot(tf.reshape(tf.slice(ids, [0, from], [size, length - from]), [-1]), table.shape[0]);
    });
  const numPatches = (visionConfig.image_size / visionConfig.patch_size) ** 2;
  const words = tf.tidy(() => tf.cast(oneHot(numPatches), 'float32'));
  const targets = oneHot(length - NUM_TARGETS);
  const context = {
    rotary: rotaryTables(length, textConfig.head_dim, textConfig.rope_parameters.rope_theta),
    mask: causalMask(length),
  };
  const loss = () => {
    const tokens = clipTokens(pixels, vision, visionConfig);
    const pictures = projector(tf.slice(tokens, [0, 1, 0]), bridge);
    const spoken = tf.reshape(tf.matMul(words, table), [size, -1, table.shape[1]]);
    const hidden = llama(tf.concat([pictures, spoken], 1), text, textConfig, context);
    const last = tf.slice(hidden, [0, length - NUM_TARGETS - 1, 0], [-1, NUM_TARGETS, -1]);
    const logits = tf.matMul(tf.reshape(last, [size * NUM_TARGETS, -1]), table, false, true);
    return tf.losses.softmaxCrossEntropy(targets, logits);
  };
  const optimizer = tf.train.adam(1e-4, 0.9, 0.999, 1e-8);
  return () => optimizer.minimize(loss, true, trained);
}
