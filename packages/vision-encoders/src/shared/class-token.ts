import type { Parameter } from '@mmllm/core';
import type { TransformerBlock } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';

/**
 * What a block makes of the first token alone, float32[B, T, D] to float32[B, 1, D]: the same values as the first row
 * of `block.forward`, without the queries and the MLP of the other tokens. In a tower of three blocks that is a fifth of
 * a contrastive step.
 */
export function forwardFirst(block: TransformerBlock, x: tf.Tensor3D): tf.Tensor3D {
  const { attentionNorm, selfAttention, mlpNorm, mlp, attentionScale, mlpScale } = block;
  const normed = attentionNorm.forward(x);
  const mixed = selfAttention.attend(first(normed), selfAttention.keyValues(normed), {
    rule: { causal: false },
  });
  const attended: tf.Tensor3D = tf.add(first(x), scaled(mixed, attentionScale));
  return tf.add(attended, scaled(mlp.forward(mlpNorm.forward(attended)), mlpScale));
}

function scaled(x: tf.Tensor3D, scale: Parameter | undefined): tf.Tensor3D {
  return scale ? tf.mul(x, scale.value) : x;
}

function first(x: tf.Tensor3D): tf.Tensor3D {
  return tf.slice3d(x, [0, 0, 0], [-1, 1, -1]);
}
