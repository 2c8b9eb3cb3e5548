export { activate, activationGradient, gated, gatedGradient } from './activate';
export { adamw } from './adamw';
export { attention, attentionGradient, attentionGradientScratch, attentionScratch } from './attention';
export { CONSTANTS_SIZE, initialize } from './constants';
export { layerNorm, layerNormGainGradient, layerNormGradient } from './layer-norm';
export { matmul, matmulScratch } from './matmul';
