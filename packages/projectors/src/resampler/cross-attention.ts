import { Module } from '@mmllm/core';
import { Attention, LayerNorm, type Linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { firstLinear } from '../shared/linear-layers';
import { repeated } from '../shared/runs';

/**
 * Attention of queries to tokens that projects twice: layers without biases, and then those of the attention itself. Another
 * layer follows it, and nothing is added to the queries.
 */
export class CrossAttention extends Module {
  readonly queryNorm: LayerNorm;
  readonly tokenNorm: LayerNorm;
  readonly qProj: Linear;
  readonly kProj: Linear;
  readonly vProj: Linear;
  readonly attention: Attention;
  readonly outProj: Linear;

  /** @throws ConfigError if the heads do not divide the width. */
  constructor(width: number, numHeads: number, layerNormEps: number) {
    super();
    this.queryNorm = new LayerNorm(width, layerNormEps);
    this.tokenNorm = new LayerNorm(width, layerNormEps);
    this.qProj = firstLinear(width, width, false);
    this.kProj = firstLinear(width, width, false);
    this.vProj = firstLinear(width, width, false);
    this.attention = new Attention({ hiddenSize: width, numHeads });
    this.outProj = firstLinear(width, width, true);
  }

  /**
   * @param query float32[Q, D], the same for every view
   * @param tokens float32[views, T, D]
   * @param seen uint8[views · T], 0 for tokens that no query sees. Default: all are seen.
   * @returns float32[views, Q, D]. The caller owns it.
   */
  forward(query: tf.Tensor2D, tokens: tf.Tensor3D, seen?: Uint8Array): tf.Tensor3D {
    const [views] = tokens.shape;
    const blocks = seen && {
      queryBlocks: new Int32Array(views * query.shape[0]).fill(1),
      keyBlocks: Int32Array.from(seen),
    };
    return tf.tidy(() => {
      const queries = repeated(this.qProj.forward(this.queryNorm.forward(query)), views);
      const normed = this.tokenNorm.forward(tokens);
      const keyValues = {
        k: this.attention.kProj.forward(this.kProj.forward(normed)),
        v: this.attention.vProj.forward(this.vProj.forward(normed)),
      };
      const attended = this.attention.attend(queries, keyValues, { rule: { causal: false, ...blocks } });
      return this.outProj.forward(attended);
    });
  }
}
