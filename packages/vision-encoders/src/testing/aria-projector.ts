import type { WeightSource } from '@mmllm/checkpoints';
import type { ImageFeatures } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { FileTensors, plainAttention } from './file-tensors';

interface AriaModelConfig {
  projector_patch_to_query_dict: Record<string, number>;
  vision_config: { num_attention_heads: number };
}

/** Aria's projector in plain ops, so that the tower is tested by what the decoder gets. */
export async function ariaProjector(config: unknown, weights: WeightSource) {
  const { projector_patch_to_query_dict, vision_config } = config as AriaModelConfig;
  const file = await FileTensors.open(weights, 'multi_modal_projector.');

  /** One part of torch's joint projection. */
  const packed = (x: tf.Tensor2D, part: number): tf.Tensor2D => {
    const name = 'cross_attn.multihead_attn.in_proj';
    const size = x.shape[1];
    const weight = tf.slice2d(file.get(`${name}_weight`), [part * size, 0], [size, size]);
    const bias = tf.slice2d(file.get(`${name}_bias`), [0, part * size], [1, size]);
    return tf.add(tf.matMul(x, weight, false, true), bias);
  };
  const geluTanh = (x: tf.Tensor2D): tf.Tensor2D => {
    const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.pow(x, 3))));
    return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(inner)));
  };
  const project = (features: tf.Tensor2D, seen: readonly number[]): tf.Tensor2D => {
    const numQueries = projector_patch_to_query_dict[features.shape[0]];
    const queries = file.norm(
      tf.slice2d(file.get('query'), [0, 0], [numQueries, -1]),
      'cross_attn.layer_norm',
    );
    const source = file.norm(features, 'cross_attn.layer_norm_kv');
    const q = packed(file.linear(queries, 'cross_attn.q_proj'), 0);
    const k = packed(file.linear(source, 'cross_attn.k_proj'), 1);
    const v = packed(file.linear(source, 'cross_attn.v_proj'), 2);
    const mixed = plainAttention(q, k, v, vision_config.num_attention_heads, seen);
    const attended = file.linear(
      file.linear(mixed, 'cross_attn.multihead_attn.out_proj'),
      'cross_attn.linear',
    );
    const inner = geluTanh(file.linear(file.norm(attended, 'layer_norm'), 'feed_forward.linear_in'));
    return file.linear(inner, 'feed_forward.linear_out');
  };

  return {
    /** float32[tokens, D] of all pictures. */
    forward: ({ features, images, mask }: ImageFeatures): tf.Tensor2D =>
      tf.tidy(() => {
        const rows = images.flatMap(({ views }) =>
          views.map(({ start, count }) => {
            const seen = Array.from({ length: count }, (_, i) => mask?.[start + i] ?? 1);
            return project(tf.slice2d(features, [start, 0], [count, -1]), seen);
          }),
        );
        return tf.concat2d(rows, 0);
      }),
    dispose: () => file.dispose(),
  };
}
