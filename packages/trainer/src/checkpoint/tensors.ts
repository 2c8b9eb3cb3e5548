import {
  type CheckpointStorage,
  openSafetensors,
  safetensorsWeights,
  streamSafetensors,
} from '@mmllm/checkpoints';
import { CheckpointError, type Module, NonFiniteError, type Parameter } from '@mmllm/core';

/**
 * The bytes of a safetensors file with every parameter under its own path; values are read one by one.
 *
 * @param root before the paths in messages.
 * @throws NonFiniteError naming the first parameter with a value that is no finite number.
 */
export function encodeParameters(module: Module, root = ''): AsyncIterable<Uint8Array> {
  const tensors = [...module.namedParameters()].map(
    ([path, parameter]) =>
      [
        path,
        {
          dtype: 'F32',
          shape: parameter.shape,
          read: () => readFinite(`${root}${path}`, parameter),
        } as const,
      ] as const,
  );
  return streamSafetensors(tensors);
}

async function readFinite(path: string, parameter: Parameter): Promise<Float32Array> {
  const values = await parameter.read();
  const bad = values.find((value) => !Number.isFinite(value));
  if (bad === undefined) return values;
  throw new NonFiniteError({
    component: path,
    expected: 'finite values for a checkpoint',
    actual: String(bad),
    hint: 'No checkpoint was written; earlier ones stay.',
  });
}

/**
 * Fills all parameters from such a file. Names and shapes are checked first.
 * @throws CheckpointError naming the file, if it is cut off or has not exactly these parameters.
 */
export async function decodeParameters(
  module: Module,
  storage: CheckpointStorage,
  name: string,
): Promise<void> {
  const file = await openSafetensors(await storage.open(name));
  try {
    const source = safetensorsWeights(file);
    const parameters = new Map(module.namedParameters());
    const describe = (shape: readonly number[]) => `float32[${shape.join(', ')}]`;
    const refuse = (expected: string, actual: string) =>
      new CheckpointError({
        component: source.name,
        expected,
        actual,
        hint: 'It belongs to another model or stage.',
      });
    for (const key of source.keys()) {
      if (!parameters.has(key)) throw refuse('the parameters of this stage only', `'${key}' too`);
    }
    for (const [path, { shape }] of parameters) {
      const found = file.tensors.get(path)?.shape.join(', ');
      if (found === undefined) throw refuse(`a tensor '${path}'`, 'none');
      if (found !== shape.join(', ')) throw refuse(`${describe(shape)} for '${path}'`, `[${found}]`);
    }
    for (const key of source.keys()) parameters.get(key)?.assign(await source.read(key));
  } finally {
    await file.close();
  }
}
