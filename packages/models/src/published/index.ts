import type { JsonObject } from '@mmllm/checkpoints';
import { publishedSystems } from './systems';
import { publishedTowers } from './towers';

/**
 * Published sizes by name, each as the part of its `config.json` that says what is built: what is left out is of
 * processing, dropout and other matters that change no shape and no number.
 */
export const published: Readonly<Record<string, JsonObject>> = { ...publishedTowers, ...publishedSystems };
