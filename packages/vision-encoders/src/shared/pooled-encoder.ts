import type { ImageBatch, ImageEncoder } from '@mmllm/core';
import type { Tensor2D } from '@tensorflow/tfjs-core';

/** An image encoder that also gives one vector for each view, as contrastive training needs. */
export interface PooledImageEncoder extends ImageEncoder {
  readonly pooledSize: number;
  /** float32[views, pooledSize]. The caller owns it. */
  pooled(batch: ImageBatch): Tensor2D;
}

/** Whether an encoder can be trained contrastively; raw patches, for one, have nothing to pool. */
export function isPooled(encoder: ImageEncoder): encoder is PooledImageEncoder {
  return 'pooled' in encoder && 'pooledSize' in encoder;
}
