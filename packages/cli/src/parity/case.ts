import {
  bufferSource,
  encodeSafetensors,
  type FolderReader,
  type JsonObject,
  type ModelFolder,
  openModelFolder,
  openSafetensors,
  type SafetensorsFile,
  toFloat32,
  toInt32,
  type WeightSource,
} from '@mmllm/checkpoints';
import { CheckpointError, parseConfig, type TokenIds } from '@mmllm/core';
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
  /** The files beside `case.json`: pictures, the tokenizer's and the processor's. */
  readonly folder: ModelFolder;
  /** Names in `golden.safetensors`. */
  readonly names: readonly string[];
  /** What `golden.json` holds: one text, id list or conversation each. Empty where there is no such file. */
  readonly lines: readonly JsonObject[];
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
  /** A file of the case, such as a picture. */
  bytes(name: string): Promise<Uint8Array>;
  /** The files of another family's case of the same variant, which are expected next to this one. */
  sibling(family: string): Promise<ModelFolder>;
  close(): Promise<void>;
}

/** Where the files of a case of another family are. */
export type Siblings = (family: string, variant: string) => FolderReader;

/**
 * Opens a folder that holds a case: on disk, or wherever else its files can be listed and opened by name. Tensors are read
 * when they are asked for.
 * @param siblings where cases of other families are, for those that share their files.
 * @throws CheckpointError for a file that is missing or broken.
 * @throws ConfigError for a `case.json` that does not say what is compared.
 */
export async function openParityCase(files: FolderReader, siblings?: Siblings): Promise<ParityCase> {
  const folder = await openModelFolder(files);
  const model = await openModelFolder(files, { folder: 'model' });
  const json = (await folder.json('case.json')) ?? {};
  const description = parseConfig('case.json', caseSchema, json as z.input<typeof caseSchema>);
  const lines = parseLines(await folder.text(LINES));
  const golden = await openGolden(files, folder.names);
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
    folder,
    lines,
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
    bytes: (name) => readWhole(files, name),
    async sibling(other) {
      const name = `${other}/${variant}`;
      const absent = {
        component: `${family}/${variant}`,
        expected: `the case ${name} beside it`,
        actual: 'nothing',
      };
      if (!siblings) throw new CheckpointError(absent);
      try {
        return await openModelFolder(siblings(other, variant));
      } catch (cause) {
        throw new CheckpointError({ ...absent, cause });
      }
    },
    async close() {
      await Promise.all([golden.close(), model.close()]);
    },
  };
}

const LINES = 'golden.json';
const TENSORS = 'golden.safetensors';

/** Cases of text alone have no tensors. */
async function openGolden(files: FolderReader, names: readonly string[]): Promise<SafetensorsFile> {
  const source =
    names.includes(LINES) && !names.includes(TENSORS)
      ? bufferSource(encodeSafetensors([]), TENSORS)
      : await files.open(TENSORS);
  return openSafetensors(source);
}

async function readWhole(files: FolderReader, name: string): Promise<Uint8Array> {
  const source = await files.open(name);
  try {
    return await source.read(0, source.size);
  } finally {
    await source.close?.();
  }
}

/** @throws CheckpointError unless it is a list of objects. */
function parseLines(text: string | undefined): JsonObject[] {
  if (text === undefined) return [];
  const lines: unknown = JSON.parse(text);
  const isObject = (line: unknown) => typeof line === 'object' && line !== null && !Array.isArray(line);
  if (Array.isArray(lines) && lines.every(isObject)) return lines;
  throw new CheckpointError({ component: LINES, expected: 'a list of objects', actual: text.slice(0, 80) });
}

const isFloat = (file: SafetensorsFile, name: string) =>
  /^(B?F)\d/.test(file.tensors.get(name)?.dtype ?? 'F32');
