import type { ParityCase } from '../case';
import type { Comparison } from '../comparison';
import { internVit, vit } from './alone';
import { chat } from './chat';
import { clip, siglip } from './contrastive';
import { decoder } from './decoder';
import { imageFamilies } from './images';
import { patchLinear } from './patch-linear';
import { processor } from './processor';
import { projectorFamilies } from './projector';
import { systemFamilies } from './systems';
import { tokenizer } from './tokenizer';
import { trainClip, trainSiglip } from './training/contrastive';
import { trainLlava } from './training/llava';
import { vqFamilies } from './vq';

/** Loads what a case of one family names, through the public packages alone, and gives every output. */
export type ParityFamily = (golden: ParityCase, comparison: Comparison) => Promise<void>;

/** How each family of cases is run; a key that ends in `*` stands for all that begin so. */
export type ParityFamilies = Readonly<Record<string, ParityFamily>>;

/** How a family is run; `undefined` for one that is not known. */
export function familyNamed(name: string, known: ParityFamilies = families): ParityFamily | undefined {
  if (Object.hasOwn(known, name)) return known[name];
  const pattern = Object.keys(known).find((key) => key.endsWith('*') && name.startsWith(key.slice(0, -1)));
  return pattern === undefined ? undefined : known[pattern];
}

export const families: ParityFamilies = {
  'chat-*': chat,
  clip,
  siglip,
  vit,
  'intern-vit': internVit,
  'patch-linear': patchLinear,
  'decoder-*': decoder,
  ...imageFamilies,
  ...systemFamilies,
  ...projectorFamilies,
  ...vqFamilies,
  'processor-*': processor,
  'tokenizer-*': tokenizer,
  'train-clip': trainClip,
  'train-siglip': trainSiglip,
  'train-llava': trainLlava,
};
