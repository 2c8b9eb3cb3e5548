import {
  bufferSource,
  type CheckpointStorage,
  openSafetensors,
  type SafetensorsFile,
  safetensorsWeights,
  toFloat32,
  toInt32,
  type WeightSource,
} from '@mmllm/checkpoints';
import { CheckpointError, parseConfig, type TokenIds } from '@mmllm/core';
import { z } from 'zod';

/** The files of a case: a folder on disk, or wherever else they can be opened by name. */
export type CaseFiles = Pick<CheckpointStorage, 'open'>;

const caseSchema = z.looseObject({
  family: z.string(),
  variant: z.string(),
  tolerance: z.number().nonnegative(),
});

/** A golden value, as the test kit compares it. */
export interface GoldenTensor<D extends Float32Array | Int32Array = Float32Array | Int32Array> {
  readonly shape: readonly number[];
  readonly data: D;
}

/** A golden case: a model in its published layout, and what the reference computes with it. */
export interface ParityCase {
  /** `family/variant` */
  readonly name: string;
  readonly family: string;
  /** Largest accepted |ours − theirs| / max(1, |theirs|) for floats. */
  readonly tolerance: number;
  /** All of `case.json`. */
  readonly description: Readonly<Record<string, unknown>>;
  /** Names in `golden.safetensors`. */
  readonly names: readonly string[];
  has(name: string): boolean;
  /** Shape of a golden tensor, from the header. */
  shape(name: string): readonly number[];
  /** A golden tensor as float32 or int32. */
  tensor(name: string): Promise<GoldenTensor>;
  floats(name: string): Promise<GoldenTensor<Float32Array>>;
  ints(name: string): Promise<GoldenTensor<Int32Array>>;
  /** int32[B, T] as token ids. */
  ids(name: string): Promise<TokenIds>;
  /** A parsed JSON file of the case. */
  json(file: string): Promise<unknown>;
  /** `model/config.json` */
  config(): Promise<unknown>;
  /** `model/model.safetensors` */
  weights(): Promise<WeightSource>;
}

/**
 * Opens a folder that holds a case; its files are read whole.
 * @throws CheckpointError for a file that is missing or broken.
 * @throws ConfigError for a `case.json` that does not say what is compared.
 */
export async function openParityCase(files: CaseFiles): Promise<ParityCase> {
  const json = async (file: string): Promise<unknown> =>
    parseJson(file, new TextDecoder().decode(await readWhole(files, file)));
  const description = parseConfig(
    'case.json',
    caseSchema,
    (await json('case.json')) as z.input<typeof caseSchema>,
  );
  const golden = await safetensors(files, 'golden.safetensors');
  const floats = async (name: string) => {
    const tensor = await golden.read(name);
    return { shape: tensor.shape, data: toFloat32(tensor).slice() };
  };
  const ints = async (name: string) => {
    const tensor = await golden.read(name);
    return { shape: tensor.shape, data: toInt32(tensor).slice() };
  };
  const { family, variant, tolerance } = description;
  return {
    name: `${family}/${variant}`,
    family,
    tolerance,
    description,
    names: [...golden.tensors.keys()],
    has: (name) => golden.tensors.has(name),
    shape: (name) => golden.tensors.get(name)?.shape ?? [],
    tensor: (name) => (isFloat(golden, name) ? floats(name) : ints(name)),
    floats,
    ints,
    async ids(name) {
      const { data, shape } = await ints(name);
      return { data, shape: [shape[0], shape[1]] };
    },
    json,
    config: () => json('model/config.json'),
    weights: async () => safetensorsWeights(await safetensors(files, 'model/model.safetensors')),
  };
}

const isFloat = (file: SafetensorsFile, name: string) =>
  /^(B?F)\d/.test(file.tensors.get(name)?.dtype ?? 'F32');

async function safetensors(files: CaseFiles, name: string): Promise<SafetensorsFile> {
  return openSafetensors(bufferSource(await readWhole(files, name), name));
}

async function readWhole(files: CaseFiles, name: string): Promise<Uint8Array> {
  const source = await files.open(name);
  try {
    return await source.read(0, source.size);
  } finally {
    await source.close?.();
  }
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError({ component: file, expected: 'JSON', actual: 'something else', cause });
  }
}
