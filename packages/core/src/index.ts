export { type ComposeOptions, composeModel, type TextParts, type VisionLanguageParts } from './compose';
export { parseConfig } from './config';
export {
  layersSchema,
  MAX_LAYERS,
  MAX_SIDE,
  MAX_SIZE,
  MAX_TILES,
  sideSchema,
  sizeSchema,
  tilesSchema,
} from './config-limits';
export * from './contracts';
export { formatTable, type PictureTokens, tokensOfPicture } from './describe';
export * from './errors';
export * from './generation';
export {
  bfloat16ToFloat32,
  float16ToFloat32,
  fromBfloat16,
  fromFloat16,
  toBfloat16,
  toFloat16,
} from './half';
export * from './held-weight';
export * from './initializers';
export { largestImage } from './largest-image';
export { type ModelParts, MultimodalModel } from './model';
export { type InitializeOptions, Module } from './module';
export { Parameter, type ParameterOptions } from './parameter';
export { nextPositions, packedPositions, sequentialPositions, textOrder } from './positions';
export { permutation, type Random, random } from './random';
export { type GroupedPiece, isGrouped, isGroupedPiece, type WeightPiece, widen } from './weights/piece';
export { type TurnedPlace, turnRows } from './weights/turn';
export type { WeightWriter, WriterOptions } from './weights/writer';
