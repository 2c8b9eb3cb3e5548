import type { ParityCase } from '../case';
import type { Comparison } from '../comparison';
import { internVit, vit } from './alone';
import { clip, siglip } from './contrastive';
import { decoderFamilies } from './decoder';
import { imageFamilies } from './images';
import { llava } from './llava';
import { patchLinear } from './patch-linear';
import { trainClip, trainSiglip } from './training/contrastive';
import { trainLlava } from './training/llava';

/** Loads what a case of one family names, through the public packages alone, and gives every output. */
export type ParityFamily = (golden: ParityCase, comparison: Comparison) => Promise<void>;

/** How each family of cases is run. */
export type ParityFamilies = Readonly<Record<string, ParityFamily>>;

export const families: ParityFamilies = {
  clip,
  siglip,
  vit,
  'intern-vit': internVit,
  'patch-linear': patchLinear,
  ...decoderFamilies,
  ...imageFamilies,
  llava,
  'train-clip': trainClip,
  'train-siglip': trainSiglip,
  'train-llava': trainLlava,
};
