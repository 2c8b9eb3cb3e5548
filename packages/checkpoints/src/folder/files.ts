/** The files of a model's folder that have a meaning of their own, as transformers names them. */

export const CONFIG = 'config.json';
export const WEIGHTS = 'model.safetensors';
export const WEIGHTS_INDEX = 'model.safetensors.index.json';

/** A JSON object, as parsed. */
export type JsonObject = Record<string, unknown>;

/** A file in a folder, as a storage names it. */
export const inFolder = (folder: string, file: string): string =>
  folder === '' ? file : `${folder}/${file}`;

/** `model-00001-of-00003.safetensors`, counted from 0. */
export function shardName(shard: number, count: number): string {
  const digits = (value: number) => `${value}`.padStart(5, '0');
  return `model-${digits(shard + 1)}-of-${digits(count)}.safetensors`;
}
