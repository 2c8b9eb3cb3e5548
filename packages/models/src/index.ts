export { type LoadModelOptions, loadModel } from './load/load-model';
export type { ModelPlace } from './load/place';
export { PublishedModel, type SaveModelOptions } from './load/published-model';
export { composeClip, composeSiglip, type TwoTowerSystem } from './parts/contrastive';
export { type DecoderReader, decoders } from './parts/decoders';
export { partOf } from './parts/part-of';
export { type TowerReader, towers } from './parts/towers';
export type { Wired } from './parts/wired';
export { published } from './published';
export type { PublishedStage } from './stages';
export {
  type ComposedSystem,
  type ComposeSystemOptions,
  composeSystem,
  type System,
  type Wiring,
} from './system';
export { systemOf, systems } from './systems';
export { aria } from './systems/aria';
export { baichuanOmni } from './systems/baichuan-omni';
export { emu3 } from './systems/emu3';
export { fuyu } from './systems/fuyu';
export { internVl } from './systems/internvl';
export { janus } from './systems/janus';
export { llava } from './systems/llava';
export { llavaNext } from './systems/llava-next';
export { mllama } from './systems/mllama';
export { mm15 } from './systems/mm15';
export { molmo } from './systems/molmo';
export { nvlmD } from './systems/nvlm-d';
export { nvlmH } from './systems/nvlm-h';
export { nvlmX } from './systems/nvlm-x';
export { paligemma } from './systems/paligemma';
export { pixtral } from './systems/pixtral';
export { qwen2Vl } from './systems/qwen2-vl';
