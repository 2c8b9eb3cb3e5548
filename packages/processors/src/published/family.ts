import type { Json } from '../hugging-face/fields';
import type { HostImages } from '../prepare/host';
import type { DescribedPreprocessing } from '../prepare/prepare';
import type { BatchOptions, TokenBatch } from '../tokenizer/batch';
import type { JsonTokenizer } from '../tokenizer/tokenizer';
import type { ProcessorArrays } from './arrays';
import type { Edit } from './edits';

/** What a family is made from: its files, parsed. */
export interface FamilyFiles {
  /** `processor_config.json`; empty where there is none. */
  readonly processor: Json;
  /** The image processor's configuration, and that of videos. */
  readonly image: Json;
  readonly video?: Json;
  readonly preprocessing: DescribedPreprocessing;
  readonly tokenizer: JsonTokenizer;
}

/** What is asked of a call beside texts and pictures. */
export interface FamilyOptions {
  /** PaliGemma: what the model should answer, one for each text. Gives labels. */
  readonly suffix?: readonly string[];
  /** Janus, Emu3: `image` ends the prompt where a picture is to be generated. Default `text`. */
  readonly generate?: 'text' | 'image';
  /** Emu3: aspect of the picture to be generated, `width:height`. Default `1:1`. */
  readonly ratio?: string;
  /** Emu3: its area in pixels. Default 518400. */
  readonly imageArea?: number;
}

/** The pictures of a call. */
export interface FamilyImages {
  readonly host: HostImages;
  /** How many pictures each sample has. */
  readonly perSample: readonly number[];
}

/** How one class of transformers joins texts and pictures. */
export interface Family {
  /** What stands for a picture in a text; absent where texts and pictures have nothing to do with each other. */
  readonly imageToken?: string;
  readonly videoToken?: string;
  /** Whether the tokens of a prompt see each other both ways. */
  readonly prefixLm?: boolean;
  /** Defaults for the tokenizer that differ from its own. */
  readonly text?: BatchOptions;
  /** How many pictures the texts of a call name; default: as many as their image tokens. */
  imagesPerText?(texts: readonly string[], numImages: number): number[];
  /** What is written into each text before its pictures are expanded. */
  layout?(texts: readonly string[], call: LayoutCall): Edit[][];
  /** Text before and after what each picture's token gives way to. */
  readonly around?: readonly [before: string, after: string];
  /** What each picture's token gives way to, in the pictures' order. */
  placeholders?(images: FamilyImages): string[];
  /** What follows each text as a part of its own. */
  pairs?(options: FamilyOptions): readonly string[] | undefined;
  /** The arrays of the pictures. */
  images(images: FamilyImages): ProcessorArrays;
  /** Tokenises expanded texts in its own way. */
  tokenize?(texts: readonly string[], options: BatchOptions, hasImages: boolean): TokenBatch;
  /** Arrays that depend on the tokens. */
  tokens?(batch: TokenBatch, images: FamilyImages | undefined, options: FamilyOptions): ProcessorArrays;
}

export interface LayoutCall {
  readonly options: FamilyOptions;
  /** How many pictures each text has, undefined where the call has none at all. */
  readonly perSample?: readonly number[];
  readonly addSpecialTokens: boolean;
}

export type MakeFamily = (files: FamilyFiles) => Family;
