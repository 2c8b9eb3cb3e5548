import type { WeightSource } from '@mmllm/checkpoints';
import type { ImageFeatures } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';

interface AriaModelConfig {
  projector_patch_to_query_dict: Record<string, number>;
  vision_config: { num_attention_heads: number };
}

/** Aria's projector in plain ops, from a file's weights, so that the tower is tested by what the decoder gets. */
export async function ariaProjector(config: unknown, weights: WeightSource) {
  const { projector_patch_to_query_dict, vision_config } = config as AriaModelConfig;
  const heads = vision_config.num_attention_heads;
  const tensors = new Map<string, tf.Tensor2D>();
  for (const key of weights.keys()) {
    if (!key.startsWith('multi_modal_projector.')) continue;
    const shape = [...weights.shape(key)] as [number, number];
    const two: [number, number] = shape.length === 2 ? shape : [1, shape[0]];
    tensors.set(key.replace('multi_modal_projector.', ''), tf.tensor2d(await weights.read(key), two));
  }
  const get = (name: string) => tensors.get(name) as tf.Tensor2D;
  const linear = (x: tf.Tensor2D, name: string) => {
    const bias = tensors.get(`${name}.bias`);
    const y: tf.Tensor2D = tf.matMul(x, get(`${name}.weight`), false, true);
    return bias ? tf.add<tf.Tensor2D>(y, bias) : y;
  };
  const norm = (x: tf.Tensor2D, name: string): tf.Tensor2D => {
    const { mean, variance } = tf.moments(x, 1, true);
    const unit = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5)));
    return tf.add(tf.mul(unit, get(`${name}.weight`)), get(`${name}.bias`));
  };
  const geluTanh = (x: tf.Tensor2D): tf.Tensor2D => {
    const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.pow(x, 3))));
    return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(inner)));
  };
  /** One part of torch's joint projection. */
  const packed = (x: tf.Tensor2D, part: number) => {
    const [weight, bias] = [
      get('cross_attn.multihead_attn.in_proj_weight'),
      get('cross_attn.multihead_attn.in_proj_bias'),
    ];
    const size = weight.shape[1];
    const rows = tf.slice2d(weight, [part * size, 0], [size, size]);
    return tf.add<tf.Tensor2D>(
      tf.matMul(x, rows, false, true),
      tf.slice2d(bias, [0, part * size], [1, size]),
    );
  };
  /** [N, heads · d] to [heads, N, d]. */
  const split = (x: tf.Tensor2D) =>
    tf.transpose(tf.reshape(x, [x.shape[0], heads, x.shape[1] / heads]), [1, 0, 2]);

  function project(features: tf.Tensor2D, seen: readonly number[]): tf.Tensor2D {
    const numQueries = projector_patch_to_query_dict[features.shape[0]];
    const queries = norm(tf.slice2d(get('query'), [0, 0], [numQueries, -1]), 'cross_attn.layer_norm');
    const source = norm(features, 'cross_attn.layer_norm_kv');
    const q = split(packed(linear(queries, 'cross_attn.q_proj'), 0));
    const k = split(packed(linear(source, 'cross_attn.k_proj'), 1));
    const v = split(packed(linear(source, 'cross_attn.v_proj'), 2));
    const scores = tf.div(tf.matMul(q, k, false, true), Math.sqrt(q.shape[2]));
    const hidden = tf.tensor3d(
      seen.map((one) => (one ? 0 : -1e9)),
      [1, 1, seen.length],
    );
    const mixed = tf.matMul(tf.softmax(tf.add(scores, hidden)), v);
    const merged = tf.reshape<tf.Rank.R2>(tf.transpose(mixed, [1, 0, 2]), [numQueries, -1]);
    const attended = linear(linear(merged, 'cross_attn.multihead_attn.out_proj'), 'cross_attn.linear');
    const inner = geluTanh(linear(norm(attended, 'layer_norm'), 'feed_forward.linear_in'));
    return linear(inner, 'feed_forward.linear_out');
  }

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
    dispose: () => tf.dispose([...tensors.values()]),
  };
}
