import * as tf from '@tensorflow/tfjs';
import {
  attend,
  gelu,
  layerNorm,
  linear,
  mergeHeads,
  quickGelu,
  rmsNorm,
  rotate,
  silu,
  splitHeads,
} from './tfjs-layers.mjs';
import { under } from './tfjs-weights.mjs';

/** Pixels [B, 3, S, S] to rows [B, patches, 3 · side²], channel by channel as the weights have it. */
function patches(pixels, side) {
  const [batch, channels, height] = pixels.shape;
  const grid = height / side;
  const cut = tf.reshape(pixels, [batch, channels, grid, side, grid, side]);
  return tf.reshape(tf.transpose(cut, [0, 2, 4, 1, 3, 5]), [batch, grid * grid, channels * side * side]);
}

function encoderLayer(x, w, { num_attention_heads: heads, layer_norm_eps: eps }) {
  const normed = layerNorm(x, w, 'layer_norm1', eps);
  const [q, k, v] = ['q_proj', 'k_proj', 'v_proj'].map((name) =>
    splitHeads(linear(normed, w, `self_attn.${name}`), heads),
  );
  const attended = tf.add(x, linear(mergeHeads(attend(q, k, v)), w, 'self_attn.out_proj'));
  const hidden = quickGelu(linear(layerNorm(attended, w, 'layer_norm2', eps), w, 'mlp.fc1'));
  return tf.add(attended, linear(hidden, w, 'mlp.fc2'));
}

/** [B, 1 + patches, hidden] of CLIP's tower before its last norm, the class token first. */
export function clipTokens(pixels, w, config) {
  const embedded = linear(patches(pixels, config.patch_size), w, 'embeddings.patch_embedding');
  const [batch] = pixels.shape;
  const classToken = tf.tile(tf.reshape(w['embeddings.class_embedding'], [1, 1, -1]), [batch, 1, 1]);
  const tokens = tf.concat([classToken, embedded], 1);
  let x = tf.add(tokens, w['embeddings.position_embedding.weight']);
  x = layerNorm(x, w, 'pre_layrnorm', config.layer_norm_eps);
  for (let i = 0; i < config.num_hidden_layers; i++) {
    x = encoderLayer(x, under(w, `encoder.layers.${i}.`), config);
  }
  return x;
}

/** [B, projection] */
export function clipEmbeddings(pixels, w, config) {
  const vision = under(w, 'vision_model.');
  const tokens = clipTokens(pixels, vision, config);
  const [batch, , width] = tokens.shape;
  const classToken = tf.reshape(tf.slice(tokens, [0, 0, 0], [batch, 1, width]), [batch, width]);
  return linear(
    layerNorm(classToken, vision, 'post_layernorm', config.layer_norm_eps),
    w,
    'visual_projection',
  );
}

export const projector = (x, w) => linear(gelu(linear(x, w, 'linear_1')), w, 'linear_2');

function decoderLayer(x, w, { num_attention_heads: heads, rms_norm_eps: eps }, { rotary, mask }) {
  const normed = rmsNorm(x, w, 'input_layernorm', eps);
  const [q, k, v] = ['q_proj', 'k_proj', 'v_proj'].map((name) =>
    splitHeads(linear(normed, w, `self_attn.${name}`), heads),
  );
  const mixed = mergeHeads(attend(rotate(q, rotary), rotate(k, rotary), v, mask));
  const attended = tf.add(x, linear(mixed, w, 'self_attn.o_proj'));
  const input = rmsNorm(attended, w, 'post_attention_layernorm', eps);
  const gated = tf.mul(silu(linear(input, w, 'mlp.gate_proj')), linear(input, w, 'mlp.up_proj'));
  return tf.add(attended, linear(gated, w, 'mlp.down_proj'));
}

/** Embeddings [B, T, hidden] to what leaves Llama's last norm; as many heads for keys as for queries. */
export function llama(embeddings, w, config, context) {
  let x = embeddings;
  for (let i = 0; i < config.num_hidden_layers; i++) {
    x = decoderLayer(x, under(w, `layers.${i}.`), config, context);
  }
  return rmsNorm(x, w, 'norm', config.rms_norm_eps);
}
