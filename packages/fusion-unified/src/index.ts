export { countFeatureRows, featureRows, type PlacedImage, placeImages } from './images';
export { embedText, replaceRows, sourceRows } from './sequence';
export { unified } from './unified';
