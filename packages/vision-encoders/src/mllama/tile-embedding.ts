import { type Initializer, Module, Parameter, zeros } from '@mmllm/core';
import { Embedding } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';

export interface TileEmbeddingOptions {
  numAspectRatios: number;
  maxTiles: number;
  /** Values for each tile. */
  tileSize: number;
  initializer: Initializer;
}

/** Learned values for each tile of each canvas, behind a gate that starts closed. */
export class TileEmbedding extends Module {
  /** float32[numAspectRatios + 1, maxTiles · tileSize] */
  readonly table: Embedding;
  /** float32[1] */
  readonly gate: Parameter;

  constructor({ numAspectRatios, maxTiles, tileSize, initializer }: TileEmbeddingOptions) {
    super();
    this.table = new Embedding(numAspectRatios + 1, maxTiles * tileSize, initializer);
    this.gate = new Parameter([1], { initializer: zeros });
  }

  /** `tanh(gate) · table[id]` for int32[B] ids of canvases: float32[B, maxTiles · tileSize]. */
  forward(ids: Int32Array): tf.Tensor2D {
    const rows = this.table.forward({ data: ids, shape: [1, ids.length] });
    return tf.reshape(tf.mul(rows, tf.tanh(this.gate.value)), [ids.length, -1]);
  }
}
