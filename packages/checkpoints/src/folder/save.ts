import { CheckpointError, ConfigError } from '@mmllm/core';
import { byteLength } from '../safetensors/dtype';
import { type LazyTensor, streamSafetensors } from '../safetensors/encode';
import { quote } from '../safetensors/json';
import type { CheckpointStorage, FileContent, WriteOptions } from '../storage/storage';
import { castTensor, type WeightDtype } from './cast';
import { CONFIG, inFolder, type JsonObject, WEIGHTS_INDEX } from './files';
import { jsonText } from './json-text';
import { indexText, planShards } from './shards';

export interface SaveFolderOptions extends WriteOptions {
  /** `config.json`. Where it names a `dtype`, this follows `dtype` below. */
  config: JsonObject;
  /** From `saveWeights`; written in this order. */
  weights: Iterable<readonly [key: string, tensor: LazyTensor]>;
  /**
   * Further files by name, such as `generation_config.json` or `tokenizer.json`: an object as JSON, a text, or content as
   * it is. What is undefined is left out.
   */
  files?: Readonly<Record<string, JsonObject | string | FileContent | undefined>>;
  /** Type of the float32 weights in the files, default F32. Others are rounded to nearest even. */
  dtype?: WeightDtype;
  /** Bytes of tensors in a file, above which more files and an index are written. Default 5e9, as huggingface_hub has it. */
  maxShardBytes?: number;
  /** After each tensor: bytes of tensors written so far, and in all. */
  onProgress?: (progress: { tensor: string; written: number; total: number }) => void;
}

/** What `from_pretrained` looks for. */
const METADATA = { format: 'pt' };

/**
 * Writes a model as a new folder in the layout of Hugging Face. All of it appears together, or nothing does.
 * @throws CheckpointError if `folder` exists, a file is named twice or badly, or a tensor cannot be stored.
 * @throws ConfigError for a `maxShardBytes` below 1.
 */
export async function saveModelFolder(
  storage: CheckpointStorage,
  folder: string,
  options: SaveFolderOptions,
): Promise<void> {
  const { config, weights, files = {}, dtype = 'F32', maxShardBytes = 5e9, onProgress, signal } = options;
  if (!(maxShardBytes >= 1)) {
    const actual = `${maxShardBytes}`;
    throw new ConfigError({ component: 'maxShardBytes', expected: 'at least 1 byte', actual });
  }
  const cast = [...weights].map(([key, tensor]) => [key, castTensor(tensor, dtype)] as const);
  const plan = planShards(withProgress(cast, onProgress), maxShardBytes);
  const texts = { ...files, [CONFIG]: withDtype(config, dtype) };
  const own = [CONFIG, WEIGHTS_INDEX, ...plan.files.keys()];
  for (const name of Object.keys(files)) if (own.includes(name)) throw twice(folder, name);

  await storage.commit(
    folder,
    async (writer) => {
      for (const [name, content] of Object.entries(texts)) {
        if (content !== undefined) await writer.write(name, asContent(content), { signal });
      }
      for (const [name, tensors] of plan.files) {
        await writer.write(name, streamSafetensors(tensors, { metadata: METADATA, signal }), { signal });
      }
      if (plan.files.size > 1) await writer.write(WEIGHTS_INDEX, encode(indexText(plan)), { signal });
    },
    { signal },
  );
}

const encode = (text: string) => new TextEncoder().encode(text);

function asContent(content: JsonObject | string | FileContent): FileContent {
  if (typeof content === 'string') return encode(content);
  if (content instanceof Uint8Array || Symbol.asyncIterator in content) return content as FileContent;
  return encode(jsonText(content));
}

const TORCH_DTYPES = { F32: 'float32', BF16: 'bfloat16', F16: 'float16' } as const;

/** What transformers loads the weights as, if the configuration says so; older files call it `torch_dtype`. */
function withDtype(config: JsonObject, dtype: WeightDtype): JsonObject {
  const keys = ['dtype', 'torch_dtype'].filter((key) => typeof config[key] === 'string');
  return { ...config, ...Object.fromEntries(keys.map((key) => [key, TORCH_DTYPES[dtype]])) };
}

/** The same tensors, which report when they are read. */
function withProgress(
  tensors: readonly (readonly [string, LazyTensor])[],
  onProgress: SaveFolderOptions['onProgress'],
): readonly (readonly [string, LazyTensor])[] {
  if (!onProgress) return tensors;
  const total = tensors.reduce((sum, [, tensor]) => sum + (byteLength(tensor) ?? 0), 0);
  let written = 0;
  return tensors.map(([key, tensor]) => {
    const read: LazyTensor['read'] = async (options) => {
      const values = await tensor.read(options);
      written += values.byteLength;
      onProgress({ tensor: key, written, total });
      return values;
    };
    return [key, { ...tensor, read }];
  });
}

const twice = (folder: string, name: string) =>
  new CheckpointError({
    component: inFolder(folder, name),
    expected: 'files besides the configuration and the weights',
    actual: quote(name),
  });
