import { join } from 'node:path';
import { loadWeights, type NameMap, openSafetensors, safetensorsWeights } from '@mmllm/checkpoints';
import { fileSource } from '@mmllm/checkpoints/node';
import type { Module } from '@mmllm/core';

/** Fills a module from the `model.safetensors` of a Hugging Face folder. */
export async function fill(module: Module, folder: string, names: NameMap): Promise<void> {
  const source = await fileSource(join(folder, 'model.safetensors'));
  await loadWeights(module, safetensorsWeights(await openSafetensors(source)), names);
  await source.close?.();
}
