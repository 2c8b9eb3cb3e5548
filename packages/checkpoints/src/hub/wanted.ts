import { WEIGHTS } from '../folder/files';

/** Configurations, tokenizers and templates beside the weights; what lies in subfolders belongs to other tools. */
const TEXTS = /^[^/]+\.(?:json|jinja|txt|model)$/;
const SHARDS = /^model-\d+-of-\d+\.safetensors$/;

/** Whether `openModelFolder` may want a file, of a model with these. */
export function isWanted(path: string, paths: readonly string[]): boolean {
  if (TEXTS.test(path)) return true;
  return paths.includes(WEIGHTS) ? path === WEIGHTS : SHARDS.test(path);
}
