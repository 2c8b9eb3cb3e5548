import { ConfigError, type PictureTokens, parseConfig } from '@mmllm/core';
import { z } from 'zod';
import { architectures } from './architectures';
import type { Architecture } from './architectures/architecture';
import { type ParameterTree, parameterTree } from './tree';

/** What is in a model. */
export interface Inspection {
  /** `model_type` of the configuration. */
  readonly modelType: string;
  /** Trainable values in all, a tied one counted once. */
  readonly parameters: number;
  /** The same by component; `other` is what belongs to none. */
  readonly components: Readonly<Record<string, number>>;
  /** What the weights are stored as, or would be by the configuration. */
  readonly dtype: string;
  /** Size of the weights so stored. */
  readonly bytes: number;
  /** Of the picture that becomes the most tokens: its size, its feature rows, and its tokens in the decoder's sequence. */
  readonly tokensPerImage?: PictureTokens;
  readonly tree: ParameterTree;
}

const BYTES: Readonly<Record<string, number>> = { float32: 4, float16: 2, bfloat16: 2, float64: 8 };

/** Names are shown where they are unknown, so nobody may fill the screen with one. */
const name = z.string().max(100);

const schema = z.looseObject({
  model_type: name,
  dtype: name.nullish(),
  torch_dtype: name.nullish(),
});

/**
 * Builds what a parsed `config.json` describes, shape-only: no weight is allocated, whatever the size.
 * @throws ConfigError for a `model_type` or a value outside the known set.
 */
export async function inspectConfig(json: unknown): Promise<Inspection> {
  const config = parseConfig('config.json', schema, json as z.input<typeof schema>);
  const read = Object.hasOwn(architectures, config.model_type) ? architectures[config.model_type] : undefined;
  if (!read) {
    throw new ConfigError({
      component: 'config.json model_type',
      expected: Object.keys(architectures).join(', '),
      actual: `'${config.model_type}'`,
    });
  }
  const architecture = await read(config);
  const dtype = config.dtype ?? config.torch_dtype ?? 'float32';
  const parameters = architecture.model.countParameters();
  return {
    modelType: config.model_type,
    parameters,
    components: componentsOf(architecture),
    dtype,
    bytes: parameters * bytesOf(dtype),
    tokensPerImage: architecture.picture,
    tree: parameterTree(architecture.model),
  };
}

function bytesOf(dtype: string): number {
  const bytes = BYTES[dtype];
  if (bytes) return bytes;
  throw new ConfigError({
    component: 'config.json dtype',
    expected: Object.keys(BYTES).join(', '),
    actual: `'${dtype}'`,
  });
}

function componentsOf({ model, components }: Architecture): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [path, { size, trainable }] of model.namedParameters()) {
    if (!trainable) continue;
    const begins = (beginning: string | RegExp) =>
      typeof beginning === 'string' ? path.startsWith(beginning) : beginning.test(path);
    const name = components.find(([, beginning]) => begins(beginning))?.[0] ?? 'other';
    counts[name] = (counts[name] ?? 0) + size;
  }
  return counts;
}
