import { readFileSync } from 'node:fs';
import type { JsonObject } from '../tokenizer/file';

/** A small tokenizer, and what Hugging Face's library gives for some texts. */
export interface TokenizerParts {
  readonly name: string;
  readonly tokenizer: JsonObject;
  readonly lines: readonly {
    readonly text: string;
    readonly pair?: string;
    readonly ids: number[];
    /** In code points. */
    readonly offsets: number[];
    readonly types: number[];
    readonly special: number[];
    readonly decoded: string;
    /** Without special tokens. */
    readonly skipped: string;
  }[];
  /** Pairs that are cut to a length. */
  readonly cuts: readonly {
    readonly text: string;
    readonly pair: string;
    readonly length: number;
    readonly side: 'left' | 'right';
    readonly ids: number[];
  }[];
}

export const readParts = (): TokenizerParts[] =>
  JSON.parse(readFileSync(new URL('../tokenizer/__fixtures__/data/parts.json', import.meta.url), 'utf8'));
