import { ConfigError, type Decoder, parseConfig, sizeSchema as size } from '@mmllm/core';
import { gatedMlpSize } from '@mmllm/nn';
import { z } from 'zod';

const schema = z
  .strictObject({
    every: size.optional(),
    layers: z.array(z.int().nonnegative()).nonempty().readonly().optional(),
    numHeads: size.optional(),
    numKeyValueHeads: size.optional(),
    intermediateSize: size.optional(),
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
  /** Default 1e-5. */
  readonly rmsNormEps?: number;
  /** Standard deviation of the first weights. Default 0.02. */
  readonly initializerRange?: number;
};

/** Sizes of one cross-attention layer. */
export interface LayerConfig {
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly numKeyValueHeads?: number;
  readonly intermediateSize: number;
  readonly rmsNormEps: number;
  readonly initializerRange: number;
}

export interface ResolvedConfig {
  readonly layer: LayerConfig;
  /** Indices of the decoder's layers, ascending. */
  readonly places: readonly number[];
}

/** @throws ConfigError for values outside their range, or layers that the decoder lacks. */
export function resolveConfig(
  component: string,
  options: CrossAttentionOptions,
  decoder: Pick<Decoder, 'hiddenSize' | 'numLayers'>,
): ResolvedConfig {
  const { every, layers, ...rest } = parseConfig(component, schema, options);
  const { hiddenSize } = decoder;
  return {
    places: resolvePlaces(component, { every, layers }, decoder.numLayers),
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
