export { countFeatureRows, featureRows, type PlacedImage, placeImages } from './images';
export { embedText, replaceRows, sourceRows, textSequence } from './sequence';
export { unified } from './unified';
