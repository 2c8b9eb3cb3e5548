import { ConfigError, type Decoder, parseConfig, sizeSchema as size } from '@mmllm/core';
import { gatedMlpSize } from '@mmllm/nn';
import { z } from 'zod';
import type { SightOptions } from './pictures';
import type { TileTags } from './tags';

const tokens = z.array(z.int().nonnegative()).nonempty().readonly();
const tag = z.strictObject({ text: z.string(), ids: tokens });

const schema = z
  .strictObject({
    every: size.optional(),
    layers: z.array(z.int().nonnegative()).nonempty().readonly().optional(),
    numHeads: size.optional(),
    numKeyValueHeads: size.optional(),
    intermediateSize: size.optional(),
    headNorm: z.boolean().default(true),
    sees: z.enum(['all', 'latest']).default('all'),
    blind: z.enum(['skip', 'attend']).default('skip'),
    tags: z.strictObject({ tiles: z.array(tag).readonly(), thumbnail: tag }).optional(),
    opening: tokens.optional(),
    single: z.enum(['both', 'sequence']).default('both'),
    rmsNormEps: z.number().positive().default(1e-5),
    initializerRange: z.number().nonnegative().default(0.02),
  })
  .refine(({ every, layers }) => (every === undefined) !== (layers === undefined), 'either every or layers');

/** Which layers of the decoder get a cross-attention layer before them. */
export type CrossAttentionPlaces =
  | {
      /** Before each layer i with (i + 1) % every = 0; 1 is before all. Llama 3.2 has 4. */
      readonly every: number;
      readonly layers?: undefined;
    }
  | {
      /** Before the layers of these indices. */
      readonly layers: readonly number[];
      readonly every?: undefined;
    };

export type CrossAttentionOptions = CrossAttentionPlaces & {
  /** Default: the fewest heads of at most 64 values each. */
  readonly numHeads?: number;
  /** Grouped-query attention: fewer heads for keys and values. Default numHeads. */
  readonly numKeyValueHeads?: number;
  /** Of the gated MLP. Default: `gatedMlpSize(hiddenSize)`, 8/3 of it rounded up to a multiple of 256. */
  readonly intermediateSize?: number;
  /** A norm over each head of queries and keys. Default true, as in Llama 3.2; Flamingo and NVLM have none. */
  readonly headNorm?: boolean;
  /**
   * Which pictures a token sees, of those whose marker stands at or before it. Default `all`; Llama 3.2 and Flamingo have
   * the `latest`, with those whose markers stand right in front of its own.
   */
  readonly sees?: SightOptions['sees'];
  /** What becomes of tokens that see no picture. Default `skip`. */
  readonly blind?: SightOptions['blind'];
  /**
   * Text that names each view. In `crossAttention` the tags stand right behind the marker, and each sees its own view
   * alone (NVLM-X). In `hybrid` the thumbnail's tag stands before it in the text, and what the decoder makes of a tile's
   * is part of what is seen of the tile (NVLM-H). Default: none.
   */
  readonly tags?: TileTags;
  /** Default 1e-5. */
  readonly rmsNormEps?: number;
  /** Standard deviation of the first weights. Default 0.02. */
  readonly initializerRange?: number;
};

export type HybridOptions = CrossAttentionOptions & {
  /**
   * Tokens that open a picture in the text: what is seen across layers is seen from there on. Default: none, and it is
   * seen from the first image token on.
   */
  readonly opening?: readonly number[];
  /**
   * Where a picture of a single view is seen: in `both` ways, so that pictures which are never cut reach the layers too,
   * or in the `sequence` alone (NVLM-H). Default `both`.
   */
  readonly single?: 'both' | 'sequence';
};

/** Sizes of one cross-attention layer. */
export interface LayerConfig {
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly numKeyValueHeads?: number;
  readonly intermediateSize: number;
  readonly headNorm: boolean;
  readonly rmsNormEps: number;
  readonly initializerRange: number;
}

export interface ResolvedConfig {
  readonly layer: LayerConfig;
  /** Indices of the decoder's layers, ascending. */
  readonly places: readonly number[];
  readonly sight: SightOptions;
  readonly tags?: TileTags;
  readonly opening?: readonly number[];
  readonly single: 'both' | 'sequence';
}

/** @throws ConfigError for values outside their range, or layers that the decoder lacks. */
export function resolveConfig(
  component: string,
  options: HybridOptions,
  decoder: Pick<Decoder, 'hiddenSize' | 'numLayers'>,
): ResolvedConfig {
  const { every, layers, sees, blind, tags, opening, single, ...rest } = parseConfig(
    component,
    schema,
    options,
  );
  const { hiddenSize } = decoder;
  return {
    places: resolvePlaces(component, { every, layers }, decoder.numLayers),
    ...{ tags, opening, single },
    sight: { sees, blind },
    layer: {
      ...rest,
      hiddenSize,
      numHeads: rest.numHeads ?? defaultNumHeads(hiddenSize),
      intermediateSize: rest.intermediateSize ?? gatedMlpSize(hiddenSize),
    },
  };
}

function resolvePlaces(
  component: string,
  { every = 1, layers }: { every?: number; layers?: readonly number[] },
  numLayers: number,
): number[] {
  const all = Array.from({ length: numLayers }, (_, i) => i);
  const places = layers
    ? [...new Set(layers)].sort((a, b) => a - b)
    : all.filter((i) => (i + 1) % every === 0);
  if (places.length > 0 && places[places.length - 1] < numLayers) return places;
  throw new ConfigError({
    component: `${component}.${layers ? 'layers' : 'every'}`,
    expected: layers ? `layers from 0 to ${numLayers - 1}` : `at most the decoder's ${numLayers} layers`,
    actual: layers ? `[${layers.join(', ')}]` : `${every}`,
  });
}

function defaultNumHeads(hiddenSize: number): number {
  let numHeads = Math.ceil(hiddenSize / 64);
  while (hiddenSize % numHeads !== 0) numHeads++;
  return numHeads;
}
