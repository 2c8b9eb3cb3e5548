import { type CheckpointStorage, openSafetensors } from '@mmllm/checkpoints';

/** What the weight files of a folder hold, by their headers. */
export interface StoredWeights {
  readonly bytes: number;
  /** The dtype of most bytes, by the names that `config.json` uses. */
  readonly dtype: string;
}

const NAMES: Readonly<Record<string, string>> = {
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  F64: 'float64',
};

/**
 * Adds up the safetensors files at the top of a folder; undefined where there are none.
 * @throws CheckpointError for a broken header.
 */
export async function storedWeights(folder: CheckpointStorage): Promise<StoredWeights | undefined> {
  const bytes = new Map<string, number>();
  for (const name of await folder.list()) {
    if (!/^[^/]+\.safetensors$/.test(name)) continue;
    const file = await openSafetensors(await folder.open(name));
    for (const { dtype, start, end } of file.tensors.values()) {
      bytes.set(dtype, (bytes.get(dtype) ?? 0) + end - start);
    }
    await file.close();
  }
  const [most] = [...bytes].sort(([, a], [, b]) => b - a);
  if (!most) return undefined;
  return { bytes: [...bytes.values()].reduce((sum, n) => sum + n, 0), dtype: NAMES[most[0]] ?? most[0] };
}
