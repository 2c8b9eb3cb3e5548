export { activate, activationGradient, gated, gatedGradient } from './activate';
export { adamw } from './adamw';
export { attention, attentionScratch } from './attention';
export { attentionGradient, attentionGradientScratch } from './attention-gradient';
export { crossEntropy, crossEntropyGradient } from './cross-entropy';
export { gainGradient } from './gain-gradient';
export { heldBytes, heldGradient, heldLinear, heldRow, heldRowScratch, heldScratch } from './held';
export { layerNorm, layerNormGradient } from './layer-norm';
export { logSumExp, logSumExpGradient } from './log-sum-exp';
export { matmul, matmulScratch, packedBytes, packRight } from './matmul';
export { quantizeRows } from './packed-rows';
export {
  sigmoidPairGradient,
  sigmoidPairLoss,
  softCrossEntropy,
  softCrossEntropyGradient,
} from './pair-losses';
export { rmsNorm, rmsNormGradient } from './rms-norm';
export { rope } from './rope';
export { columnSums, gatherRows, scatterRows } from './rows';
export { attach, initialize, STATE_SIZE } from './state';
export { sumOfSquares, sumOfSquaresScratch } from './sum-of-squares';
export { awaitJob, joinJob, setThreads, splitFrom } from './threads';
export { packHalves, turnWeights, widenWeights } from './weights';
