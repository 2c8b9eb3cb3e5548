import { readFileSync } from 'node:fs';

type Json = Readonly<Record<string, unknown>>;

/** `tokenizer.json` and `tokenizer_config.json` of a golden case. */
export const readTokenizer = (name: string): [file: Json, config: Json] => [
  readJson(name, 'tokenizer.json'),
  readJson(name, 'tokenizer_config.json'),
];

const readJson = (name: string, file: string): Json =>
  JSON.parse(readFileSync(new URL(`../../fixtures/cases/${name}/base/${file}`, import.meta.url), 'utf8'));
