import { Module, uniform } from '@mmllm/core';
import { Attention, LayerNorm, Mlp } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';

export interface PerceiverBlockOptions {
  readonly width: number;
  readonly numHeads: number;
  readonly headSize: number;
  readonly mlpRatio: number;
}

const EPS = 1e-5;

/** Latents attend to the media and to themselves, then an MLP of their own; both are added to them. */
export class PerceiverBlock extends Module {
  readonly mediaNorm: LayerNorm;
  readonly latentNorm: LayerNorm;
  readonly attention: Attention;
  readonly mlpNorm: LayerNorm;
  readonly mlp: Mlp;

  constructor({ width, numHeads, headSize, mlpRatio }: PerceiverBlockOptions) {
    super();
    const options = { hiddenSize: width, initializer: uniform(1 / Math.sqrt(width)) };
    this.mediaNorm = new LayerNorm(width, EPS);
    this.latentNorm = new LayerNorm(width, EPS);
    this.attention = new Attention({ ...options, numHeads, headSize, qkvBias: false, outBias: false });
    this.mlpNorm = new LayerNorm(width, EPS);
    this.mlp = new Mlp({ ...options, intermediateSize: mlpRatio * width, activation: 'gelu', bias: false });
  }

  /**
   * @param latents float32[media, L, D]
   * @param tokens float32[media, T, D]
   * @param seen uint8[media · T], 0 for tokens that no latent sees. Default: all are seen.
   * @returns float32[media, L, D]. The caller owns it.
   */
  forward(latents: tf.Tensor3D, tokens: tf.Tensor3D, seen?: Uint8Array): tf.Tensor3D {
    return tf.tidy(() => {
      const queries = this.latentNorm.forward(latents);
      const source = tf.concat3d([this.mediaNorm.forward(tokens), queries], 1);
      const rule = { causal: false, ...blocksOf(latents.shape, tokens.shape[1], seen) };
      const attended = this.attention.attend(queries, this.attention.keyValues(source), {
        rule,
        residual: latents,
      });
      return this.mlp.forward(this.mlpNorm.forward(attended), { residual: attended });
    });
  }
}

/** Latents, which stand behind the tokens, are always seen. */
function blocksOf([media, numLatents]: readonly number[], numTokens: number, seen?: Uint8Array) {
  if (!seen) return undefined;
  const width = numTokens + numLatents;
  const keyBlocks = new Int32Array(media * width).fill(1);
  for (const [i, sees] of seen.entries()) {
    keyBlocks[Math.floor(i / numTokens) * width + (i % numTokens)] = Number(sees !== 0);
  }
  return { queryBlocks: new Int32Array(media * numLatents).fill(1), keyBlocks };
}
