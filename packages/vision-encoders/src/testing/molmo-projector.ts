import type { WeightSource } from '@mmllm/checkpoints';
import type { ImageFeatures } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { FileTensors, plainAttention } from './file-tensors';

interface MolmoModelConfig {
  vision_backbone: { image_num_heads: number };
}

/** Molmo's projector in plain ops: windows of 2 × 2 patches pooled by attention of their mean, then SwiGLU. */
export async function molmoProjector(config: unknown, weights: WeightSource) {
  const numHeads = (config as MolmoModelConfig).vision_backbone.image_num_heads;
  const file = await FileTensors.open(weights, 'model.vision_backbone.');
  const pool = (window: tf.Tensor2D): tf.Tensor2D => {
    const q = file.linear(tf.mean(window, 0, true) as tf.Tensor2D, 'image_pooling_2d.wq');
    const [k, v] = [file.linear(window, 'image_pooling_2d.wk'), file.linear(window, 'image_pooling_2d.wv')];
    return file.linear(plainAttention(q, k, v, numHeads), 'image_pooling_2d.wo');
  };
  const silu = (x: tf.Tensor2D) => tf.mul(x, tf.sigmoid(x)) as tf.Tensor2D;

  return {
    /** float32[windows, D] of all views, windows row by row. */
    forward: ({ features, images }: ImageFeatures): tf.Tensor2D =>
      tf.tidy(() => {
        const pooled = images
          .flatMap(({ views }) => views)
          .flatMap(({ start, grid }) => {
            const { rows, columns } = grid!;
            return Array.from({ length: (rows / 2) * (columns / 2) }, (_, window) => {
              const row = 2 * Math.floor(window / (columns / 2));
              const column = 2 * (window % (columns / 2));
              const parts = [0, 1].map((below) =>
                tf.slice2d(features, [start + (row + below) * columns + column, 0], [2, -1]),
              );
              return pool(tf.concat2d(parts, 0));
            });
          });
        const x = tf.concat2d(pooled, 0);
        const gate = silu(file.linear(x, 'image_projector.w1'));
        return file.linear(tf.mul(gate, file.linear(x, 'image_projector.w3')), 'image_projector.w2');
      }),
    dispose: () => file.dispose(),
  };
}
