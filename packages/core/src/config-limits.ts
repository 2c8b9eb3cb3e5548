import { z } from 'zod';

/**
 * The largest size that a configuration may name. Above every published one: vocabularies have up to 2^18 words, the
 * longest contexts 10 million tokens, the largest pictures 2^24 pixels. Two of them multiply without rounding.
 */
export const MAX_SIZE = 2 ** 26;

/** Most layers of a tower or decoder, each of which is built as a module. The deepest published have about 130. */
export const MAX_LAYERS = 512;

/** Most views of one picture, each of which is an object even where nothing is computed. The published have up to 40. */
export const MAX_TILES = 1024;

/** Longest side of a picture in pixels, where each row of it may become a piece of the text. Published models have up to 2^11. */
export const MAX_SIDE = 2 ** 16;

/** A width, length or number of heads. */
export const sizeSchema = z.int().positive().max(MAX_SIZE);

/** A number of tiles or crops. */
export const tilesSchema = z.int().positive().max(MAX_TILES);

/** A side of a picture in pixels. */
export const sideSchema = z.int().positive().max(MAX_SIDE);

/** A number of layers. */
export const layersSchema = z.int().positive().max(MAX_LAYERS);
