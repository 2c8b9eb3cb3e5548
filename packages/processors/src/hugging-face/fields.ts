import { ConfigError, type Normalisation, parseConfig, type Resample } from '@mmllm/core';
import { z } from 'zod';

/** What errors call the file. */
export const file = 'preprocessor_config.json';

/** Parsed JSON of which nothing is known yet. */
export type Json = Readonly<Record<string, unknown>>;

/** How one class of transformers is read: its keys, and our terms for them. */
export type Reader<Preprocessing> = (json: Json, processor: Json) => Preprocessing;

/**
 * @param convert takes the keys, and the `processor_config.json` around them, empty where there is none.
 * @throws ConfigError for a value that is outside the known set.
 */
export function reader<S extends z.ZodType<unknown, Json>, Preprocessing>(
  schema: S,
  convert: (keys: z.output<S>, processor: Json) => Preprocessing,
): Reader<Preprocessing> {
  return (json, processor) => convert(parseConfig(file, schema, json as z.input<S>), processor);
}

/** A key that may be left out or null, both of which mean the value of the class. */
export const or = <S extends z.ZodType>(schema: S, usual: z.output<S>) =>
  schema.nullish().transform((value): z.output<S> => value ?? usual);

export const count = z.int().min(1);
export const flag = (usual: boolean) => or(z.boolean(), usual);

/** A value of which only one is known. */
export const only = <T extends boolean | string | number>(value: T) => or(z.literal(value), value);

/** Pillow's numbers. Hamming, number 5, is not known. */
const filters: Record<number, Resample> = {
  0: 'nearest',
  1: 'lanczos',
  2: 'bilinear',
  3: 'bicubic',
  4: 'box',
};
export const resample = (usual: Resample) =>
  or(
    z.literal([0, 1, 2, 3, 4]).transform((number) => filters[number]),
    usual,
  );

type Channels = [number, number, number];

const channels = (value: z.ZodNumber) =>
  z.union([value.transform((same): Channels => [same, same, same]), z.tuple([value, value, value])]);

export const clipMean: Channels = [0.48145466, 0.4578275, 0.40821073];
export const clipStd: Channels = [0.26862954, 0.26130258, 0.27577711];
export const half: Channels = [0.5, 0.5, 0.5];

/** The keys of the normalisation, with the values of the class. */
export const normalisationKeys = (mean: Channels, std: Channels) => ({
  do_rescale: flag(true),
  rescale_factor: or(z.number(), 1 / 255),
  do_normalize: flag(true),
  image_mean: or(channels(z.number()), mean),
  image_std: or(channels(z.number().positive()), std),
});

/** Our terms for `normalisationKeys`. */
export function normalisationOf(keys: {
  do_rescale: boolean;
  rescale_factor: number;
  do_normalize: boolean;
  image_mean: Channels;
  image_std: Channels;
}): Normalisation {
  return {
    rescale: keys.do_rescale ? keys.rescale_factor : 1,
    mean: keys.do_normalize ? keys.image_mean : [0, 0, 0],
    std: keys.do_normalize ? keys.image_std : [1, 1, 1],
  };
}

/** The colour that LLaVA and Janus fill with: the mean, rounded down. */
export const meanColour = (mean: Channels) => mean.map((value) => Math.trunc(value * 255)) as Channels;

const edges = z.strictObject({
  height: count.nullish(),
  width: count.nullish(),
  shortest_edge: count.nullish(),
  longest_edge: count.nullish(),
  min_pixels: count.nullish(),
  max_pixels: count.nullish(),
});
export type Edges = z.output<typeof edges>;

/**
 * A size: in old files a number, which means a square or, in other classes, the shortest edge; or a pair, height
 * first.
 */
export const size = (number: 'square' | 'shortest edge', usual: Edges) =>
  or(
    z.union([
      count.transform(
        (side): Edges => (number === 'square' ? { height: side, width: side } : { shortest_edge: side }),
      ),
      z.tuple([count, count]).transform(([height, width]): Edges => ({ height, width })),
      edges,
    ]),
    usual,
  );

/** The side of a square. @throws ConfigError for any other size. */
export function squareSide(key: string, { height, width }: Edges): number {
  return height && height === width ? height : refuse(key, 'a square', { height, width });
}

/** @throws ConfigError for a value that ours cannot express, or that the class itself refuses. */
export function refuse(key: string, expected: string, actual: unknown): never {
  throw new ConfigError({
    component: `${file}.${key}`,
    expected,
    actual: JSON.stringify(actual) ?? 'nothing',
  });
}

/** `refuse` unless it holds. */
export function demand(key: string, holds: boolean, expected: string, actual: unknown): void {
  if (!holds) refuse(key, expected, actual);
}

/** The side of what becomes a square by its shortest edge. @throws ConfigError for a size that makes no square. */
export function shortestEdge(key: string, edges: Edges): number {
  demand(key, !edges.longest_edge, 'a square, or shortest_edge alone', edges);
  return edges.shortest_edge ?? squareSide(key, edges);
}

/** A size of which both sides are said. @throws ConfigError for any other. */
export function box(key: string, { height, width }: Edges): { height: number; width: number } {
  return height && width ? { height, width } : refuse(key, 'height and width', { height, width });
}
