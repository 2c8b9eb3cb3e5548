import {
  type FolderReader,
  type JsonObject,
  openModelFolder,
  openSafetensors,
  type SafetensorsFile,
  toFloat32,
  toInt32,
  type WeightSource,
} from '@mmllm/checkpoints';
import { parseConfig, type TokenIds } from '@mmllm/core';
import { z } from 'zod';

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
  /** `model/config.json` */
  config(): Promise<JsonObject>;
  /** The weights in `model/`. */
  weights(): Promise<WeightSource>;
  close(): Promise<void>;
}

/**
 * Opens a folder that holds a case: on disk, or wherever else its files can be listed and opened by name. Tensors are read
 * when they are asked for.
 * @throws CheckpointError for a file that is missing or broken.
 * @throws ConfigError for a `case.json` that does not say what is compared.
 */
export async function openParityCase(files: FolderReader): Promise<ParityCase> {
  const folder = await openModelFolder(files);
  const model = await openModelFolder(files, { folder: 'model' });
  const json = (await folder.json('case.json')) ?? {};
  const description = parseConfig('case.json', caseSchema, json as z.input<typeof caseSchema>);
  const golden = await openSafetensors(await files.open('golden.safetensors'));
  const floats = async (name: string) => {
    const tensor = await golden.read(name);
    return { shape: tensor.shape, data: toFloat32(tensor) };
  };
  const ints = async (name: string) => {
    const tensor = await golden.read(name);
    return { shape: tensor.shape, data: toInt32(tensor) };
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
    config: () => model.config(),
    weights: () => model.weights(),
    async close() {
      await Promise.all([golden.close(), model.close()]);
    },
  };
}

const isFloat = (file: SafetensorsFile, name: string) =>
  /^(B?F)\d/.test(file.tensors.get(name)?.dtype ?? 'F32');
