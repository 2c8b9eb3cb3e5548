import type { JsonObject } from '@mmllm/checkpoints';
import { type ImageEncoder, largestImage, type Module, type PictureTokens, rowsOf } from '@mmllm/core';

/** A published architecture at the size of one `config.json`, shape-only. */
export interface Architecture {
  readonly model: Module;
  /** Names of the components, and how the paths of their parameters begin; the first that matches counts. */
  readonly components: readonly (readonly [component: string, beginning: string | RegExp])[];
  /** Tokens of the picture that becomes the most. Absent where pictures are none of its business. */
  readonly picture?: PictureTokens;
}

/** Reads a parsed `config.json` with one `model_type`. @throws ConfigError for what it does not know. */
export type ArchitectureReader = (json: JsonObject) => Architecture | Promise<Architecture>;

/** An image tower alone. */
export function towerAlone(encoder: ImageEncoder): Architecture {
  // A pooling head is a component of its own, since models that use the tower leave it out.
  return { model: encoder, components: [['head', 'head.']], picture: largestPicture(encoder) };
}

/** Feature rows of the largest picture; a tower alone puts none of them into a sequence. */
export function largestPicture(encoder: ImageEncoder): PictureTokens | undefined {
  const image = largestImage(encoder.preprocessing);
  if (!image) return undefined;
  const { count } = rowsOf(encoder.layout([image])[0]);
  return {
    ...image.original,
    features: count,
    inSequence: 0,
    exact: encoder.preprocessing.kind === 'fixed',
  };
}

/** A decoder's components below `prefix`. */
export const decoderComponents = (prefix: string) =>
  [
    ['lm_head', `${prefix}head.`],
    ['decoder', prefix],
  ] as const;
