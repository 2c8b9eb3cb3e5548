export { type FuyuConfig, fuyu, RawPatches } from './vision';
