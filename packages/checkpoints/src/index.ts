export { pickedFiles } from './browser/picked-files';
export { directoryStorage, opfsStorage } from './browser/storage';
export type { WeightDtype } from './folder/cast';
export type { JsonObject } from './folder/files';
export { ModelFolder, type OpenFolderOptions, openModelFolder } from './folder/open';
export { type SaveFolderOptions, saveModelFolder } from './folder/save';
export { type HttpOptions, httpSource } from './http/source';
export {
  DTYPES,
  type Dtype,
  isDtype,
  type TensorData,
  type TensorInfo,
} from './safetensors/dtype';
export {
  encodeSafetensors,
  type LazyTensor,
  streamSafetensors,
  type TensorInput,
} from './safetensors/encode';
export { openSafetensors, type SafetensorsFile } from './safetensors/file';
export { parseHeader, readHeader, type SafetensorsHeader, type TensorSpan } from './safetensors/header';
export { toFloat32, toInt32 } from './safetensors/widen';
export { type ByteSource, blobSource, bufferSource, type ReadOptions } from './source';
export { memoryStorage } from './storage/memory';
export type {
  CheckpointStorage,
  FileContent,
  FolderReader,
  FolderWriter,
  WriteOptions,
} from './storage/storage';
export type { RuleLayout } from './weights/layout';
export { type LoadOptions, type LoadProgress, type LoadReport, loadWeights } from './weights/load';
export {
  composeMaps,
  type FileTarget,
  isIgnored,
  type NameMap,
  type NameRule,
  type ParameterTarget,
  type Prefixes,
  prefixMap,
  toOurs,
  toTheirs,
} from './weights/name-map';
export { saveWeights } from './weights/save';
export { safetensorsWeights, type WeightSource } from './weights/source';
