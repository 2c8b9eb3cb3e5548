export { activate, gated } from './activate';
export { ACTIVATIONS, type Activation, activationNamed } from './activations';
export { type AdamWOptions, type AdamWTarget, adamwUpdate } from './adamw';
export { adaptiveAveragePool, type GridSize } from './adaptive-average-pool';
export { type AttentionHeads, attention } from './attention';
export { type AttentionMask, type AttentionSizes, attentionMask } from './attention-mask';
export { cacheAppend } from './cache-append';
export { type CacheRows, cacheRows } from './cache-rows';
export { type Conv2dOptions, conv2d } from './conv2d';
export { type CrossEntropyOptions, crossEntropy } from './cross-entropy';
export {
  type BackwardContext,
  defineKernel,
  defineOp,
  type KernelDefinition,
  type OpDefinition,
} from './define-op';
export { depthwiseConv } from './depthwise-conv';
export { embedding } from './embedding';
export { groupNorm } from './group-norm';
export { groupedMatmul } from './grouped-matmul';
export { weightFormat } from './held/format';
export { holdWeight } from './held/hold';
export { layerNorm } from './layer-norm';
export { type LinearLayer, linear, linears } from './linear';
export type { LinearOptions } from './linear-epilogue';
export { logSumExp } from './log-sum-exp';
export { type MatmulOptions, matmul } from './matmul';
export { packedWidth, quantizeRows } from './quantize-rows';
export { recompute } from './recompute';
export { rmsNorm } from './rms-norm';
export { type RopeOptions, rope } from './rope';
export {
  type RopeScaling,
  type RopeTableOptions,
  type RopeTables,
  ropeFrequencies,
  ropeTables,
} from './rope-tables';
export { combineRows, dispatchRows, type Routing, type RoutingOptions, routeTopK } from './routing';
export { type RoutingLosses, type RoutingObserver, routingLosses } from './routing-losses';
export { selectRows } from './select-rows';
export { sigmoidPairLoss } from './sigmoid-pair-loss';
export { softCrossEntropy } from './soft-cross-entropy';
export { sumOfSquares } from './sum-of-squares';
export { added, type ValuesAndGradients, valuesAndGradients } from './tape';
export { unembed } from './unembed';
