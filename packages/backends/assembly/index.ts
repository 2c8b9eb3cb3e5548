export { activate, activationGradient } from './activations';
export { adamw } from './adamw';
export { attention, attentionScratch } from './attention';
export { attentionGradient, attentionGradientScratch } from './attention-gradient';
export { layerNorm, layerNormGainGradient, layerNormGradient } from './layer-norm';
export { matmul, matmulScratch, packedBytes, packRight } from './matmul';
export { attach, initialize, STATE_SIZE } from './state';
export { sumOfSquares, sumOfSquaresScratch } from './sum-of-squares';
export { help, setThreads, splitFrom } from './threads';
