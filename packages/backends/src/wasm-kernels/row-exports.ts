/** What the row-wise and element-wise files of `assembly/` export. Addresses are bytes, flags are 0 or 1. */

export interface ActivationExports {
  activate(kind: number, x: number, out: number, n: number): void;
  activationGradient(kind: number, dy: number, x: number, dx: number, n: number): void;
  gated(kind: number, gate: number, up: number, out: number, n: number): void;
  gatedGradient(
    kind: number,
    dy: number,
    gate: number,
    up: number,
    dGate: number,
    dUp: number,
    n: number,
  ): void;
}

export interface NormExports {
  layerNorm(
    x: number,
    gain: number,
    bias: number,
    eps: number,
    rows: number,
    width: number,
    out: number,
    means: number,
    inverses: number,
  ): void;
  layerNormGradient(
    dy: number,
    x: number,
    means: number,
    inverses: number,
    gain: number,
    rows: number,
    width: number,
    dx: number,
  ): void;
  rmsNorm(
    x: number,
    gain: number,
    offset: number,
    eps: number,
    rows: number,
    width: number,
    out: number,
    inverses: number,
  ): void;
  rmsNormGradient(
    dy: number,
    x: number,
    gain: number,
    inverses: number,
    offset: number,
    rows: number,
    width: number,
    dx: number,
  ): void;
  /** Of both; `means` is 0 for root-mean-square normalisation. */
  gainGradient(
    dy: number,
    x: number,
    means: number,
    inverses: number,
    rows: number,
    width: number,
    dGain: number,
  ): void;
}

export interface RowExports {
  rope(
    x: number,
    cos: number,
    sin: number,
    rows: number,
    tableRows: number,
    heads: number,
    headSize: number,
    pairs: number,
    interleaved: number,
    inverse: number,
    out: number,
  ): void;
  gatherRows(x: number, index: number, rows: number, width: number, out: number): void;
  scatterRows(dy: number, index: number, rows: number, width: number, size: number, out: number): void;
  columnSums(x: number, rows: number, width: number, out: number): void;
}

export interface LossExports {
  logSumExp(x: number, rows: number, width: number, out: number): void;
  logSumExpGradient(dy: number, x: number, sums: number, rows: number, width: number, dx: number): void;
  crossEntropy(
    logits: number,
    targets: number,
    weights: number,
    rows: number,
    width: number,
    losses: number,
    sums: number,
    loss: number,
  ): void;
  crossEntropyGradient(
    logits: number,
    targets: number,
    weights: number,
    sums: number,
    dy: number,
    rows: number,
    width: number,
    out: number,
  ): void;
  softCrossEntropy(logits: number, probabilities: number, rows: number, width: number, scale: number): number;
  softCrossEntropyGradient(
    logits: number,
    probabilities: number,
    rows: number,
    width: number,
    scale: number,
    out: number,
  ): void;
  sigmoidPairLoss(logits: number, labels: number, n: number, scale: number): number;
  sigmoidPairGradient(logits: number, labels: number, n: number, scale: number, out: number): void;
}

/** Types of pieces are −1 for float32, 0 for bfloat16, 1 for float16. */
export interface WeightExports {
  widenWeights(type: number, from: number, count: number, to: number): void;
  turnWeights(type: number, from: number, rows: number, width: number, to: number, step: number): void;
  packHalves(from: number, first: number, outputs: number, inputs: number, held: number): void;
}
