import { join } from 'node:path';
import { loadWeights, type NameMap, openSafetensors, safetensorsWeights } from '@mmllm/checkpoints';
import { fileSource } from '@mmllm/checkpoints/node';
import type { Module } from '@mmllm/core';

/** Fills a module from a safetensors file. */
export async function fillFrom(path: string, module: Module, names: NameMap): Promise<void> {
  const file = await openSafetensors(await fileSource(path));
  await loadWeights(module, safetensorsWeights(file), names);
  await file.close();
}

/** Fills a module from the `model.safetensors` of a Hugging Face folder. */
export const fill = (module: Module, folder: string, names: NameMap): Promise<void> =>
  fillFrom(join(folder, 'model.safetensors'), module, names);
