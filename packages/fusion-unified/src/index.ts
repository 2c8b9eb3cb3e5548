export { anyRes } from './arrangements/any-res';
export { type ArrangedPiece, type Arrangement, inOrder } from './arrangements/arrangement';
export { type OverlappingCropsOptions, overlappingCrops } from './arrangements/overlapping-crops';
export { type RowEndsOptions, rowEnds } from './arrangements/row-ends';
export { type TileTagsOptions, tileTags } from './arrangements/tile-tags';
export { countFeatureRows, featureRows, type PlacedImage, placeImages } from './images';
export { embedText, type Joined, replaceRows, sourceRows } from './sequence';
export { type UnifiedOptions, unified } from './unified';
