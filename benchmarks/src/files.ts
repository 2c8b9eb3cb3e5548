import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openSafetensors, toFloat32, toInt32 } from '@mmllm/checkpoints';
import { fileSource } from '@mmllm/checkpoints/node';

/** The parsed `config.json` of a Hugging Face folder. */
export const readConfig = async (folder: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));

/** A tensor of a file, on the host. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** All tensors of a small file by name. @throws Error for a name that it lacks. */
export async function readTensors(path: string): Promise<(name: string) => HostTensor> {
  const source = await fileSource(path);
  const file = await openSafetensors(source);
  const tensors = new Map<string, HostTensor>();
  for (const [name, { shape, dtype }] of file.tensors) {
    const stored = await file.read(name);
    tensors.set(name, { shape, data: dtype === 'I32' ? toInt32(stored) : toFloat32(stored) });
  }
  await source.close?.();
  return (name) => {
    const tensor = tensors.get(name);
    if (!tensor)
      throw new Error(`${path}: expected a tensor '${name}', got ${[...tensors.keys()].join(', ')}`);
    return tensor;
  };
}
