export { ClipModel, type ClipModelParts } from '../clip/model';
export { type ClipTextConfig, clipText } from '../clip/text';
export { type ClipConfig, clip } from '../clip/vision';
export { type OpenClipConfig, openClipConfig } from './config';
export { openClipModelNames, openClipVisionNames } from './names';
