import { type Random, random } from '@mmllm/core';
import type { JsonObject } from '../tokenizer/file';

/** A damaged copy of a file; the same seed gives the same damage. Now and then it is still valid. */
export function mutateTokenizer(file: JsonObject, seed: number): JsonObject | string {
  const draw = random('mutate tokenizer', seed);
  return pick(KINDS, draw)(structuredClone(file) as Json, draw);
}

type Json = Record<string, unknown>;
type Mutation = (file: Json, draw: Random) => JsonObject | string;

const pick = <T>(items: readonly T[], draw: Random): T => items[draw.integer(items.length)];

const nested = (levels: number, key: string, wrap: (inner: unknown) => unknown): unknown => {
  let value: unknown = { type: 'Sequence', [key]: [] };
  for (let i = 0; i < levels; i++) value = wrap(value);
  return value;
};

const PLAIN = [
  null,
  true,
  false,
  0,
  -1,
  1,
  0.5,
  2 ** 24 - 1,
  2 ** 24,
  2 ** 31,
  2 ** 53,
  1e308,
  '',
  'a',
  ' ',
  '▁',
  '\ud800',
];
const STRANGE = [
  [],
  {},
  [[]],
  [1, 'a'],
  ['a', 'b'],
  { a: 1 },
  { type: 'Sequence' },
  { String: '' },
  '__proto__',
  'constructor',
  'x'.repeat(100_000),
  'é'.repeat(5000),
];
const REGEXES = [
  '(a+)+$',
  '(a|a)*b',
  '(?:\\s|\\S)*x',
  '(((',
  '[',
  '\\',
  '\\p{Nope}',
  '(?<=a)b',
  '',
  '.',
  '.*',
  '\\s+$',
  'a{99999}',
  '(?i:q)',
  '(a?){50}a{50}',
  '\\1',
  '((a{9}){9}){9}',
].map((Regex) => ({ Regex }));
const TYPES =
  'BertNormalizer BertPreTokenizer BertProcessing BPE BPEDecoder ByteFallback ByteLevel CTC Digits FixedLength Fuse Lowercase Metaspace NFC NFD NFKC NFKD Precompiled Prepend Punctuation Replace RobertaProcessing Sequence Split Strip StripAccents TemplateProcessing Unigram Whitespace WhitespaceSplit WordLevel WordPiece Nothing'.split(
    ' ',
  );

/** A place in the file: the object or list, and the key. */
interface Place {
  readonly parent: Json;
  readonly key: string;
}

/** Of vocabularies and merges a few entries only, so that other parts are damaged as often. */
function placesOf(value: unknown, deep = 0): Place[] {
  if (typeof value !== 'object' || value === null || deep > 12) return [];
  const parent = value as Json;
  const keys = Object.keys(parent);
  return keys
    .filter((_, i) => keys.length < 30 || i % Math.ceil(keys.length / 6) === 0)
    .flatMap((key) => [{ parent, key }, ...placesOf(parent[key], deep + 1)]);
}

const change =
  (put: (old: unknown, draw: Random) => unknown): Mutation =>
  (file, draw) => {
    const { parent, key } = pick(placesOf(file), draw);
    parent[key] = put(parent[key], draw);
    return file;
  };

const changeValue = change((_, draw) =>
  structuredClone(pick(pick<readonly unknown[]>([PLAIN, STRANGE, REGEXES], draw), draw)),
);

const changeSeveral: Mutation = (file, draw) => {
  for (let i = 0; i < 4; i++) changeValue(file, draw);
  return file;
};

const changeLike = change((old, draw) => {
  if (typeof old === 'number') return old * pick([0, -1, 2, 0.5, 1e6, 1e300], draw);
  if (typeof old === 'boolean') return !old;
  if (typeof old === 'string')
    return pick([old.toUpperCase(), old + old, old.slice(1), [...old].reverse().join('')], draw);
  if (Array.isArray(old)) return pick([[], [...old, ...old], old.toReversed(), old.slice(1)], draw);
  return old === null ? {} : [old];
});

const changeType: Mutation = (file, draw) => {
  const typed = placesOf(file).filter(({ key }) => key === 'type');
  if (typed.length === 0) return changeValue(file, draw);
  pick(typed, draw).parent.type = pick(TYPES, draw);
  return file;
};

const removeKey: Mutation = (file, draw) => {
  const { parent, key } = pick(placesOf(file), draw);
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
  return file;
};

const renameKey: Mutation = (file, draw) => {
  const named = placesOf(file).filter(({ parent }) => !Array.isArray(parent));
  const { parent, key } = pick(named, draw);
  const value = parent[key];
  delete parent[key];
  Object.defineProperty(parent, pick([`${key}_`, '__proto__', 'constructor', 'toString', ''], draw), {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
  return file;
};

const PARTS = {
  normalizer: 'normalizers',
  pre_tokenizer: 'pretokenizers',
  post_processor: 'processors',
  decoder: 'decoders',
};

/** Sequences in sequences. */
const nest: Mutation = (file, draw) => {
  const [part, key] = pick(Object.entries(PARTS), draw);
  file[part] = nested(pick([3, 20, 40, 5000, 100_000], draw), key, (inner) => ({
    type: 'Sequence',
    [key]: [inner],
  }));
  return file;
};

/** Steps that make a text longer, over and over. */
const grow: Mutation = (file, draw) => {
  const [part, key] = pick(Object.entries(PARTS), draw);
  const step = pick(
    [
      { type: 'Replace', pattern: { String: 'a' }, content: pick(['aa', 'a'.repeat(1000)], draw) },
      { type: 'Replace', pattern: { Regex: '.' }, content: 'aa' },
      { type: 'Prepend', prepend: 'a'.repeat(10_000) },
      part === 'decoder'
        ? { type: 'BPEDecoder', suffix: '' }
        : { type: 'ByteLevel', add_prefix_space: true, use_regex: false },
      {
        type: 'TemplateProcessing',
        single: [{ Sequence: { id: 'A' } }, { Sequence: { id: 'A' } }],
        pair: [],
      },
    ],
    draw,
  );
  const steps = Array.from({ length: pick([8, 60, 300], draw) }, () => step);
  const inner = { type: 'Sequence', [key]: steps };
  file[part] = pick([inner, { type: 'Sequence', [key]: [...steps, inner, inner] }], draw);
  return file;
};

const asText: Mutation = (file, draw) => {
  const text = JSON.stringify(file);
  const at = draw.integer(text.length);
  const put = pick(['', '{', ']', '"', '\\', '\0', '1e999', '['.repeat(50_000)], draw);
  return pick([text.slice(0, at), text.slice(0, at) + put + text.slice(at + 1)], draw);
};

const KINDS = [
  changeValue,
  changeValue,
  changeValue,
  changeSeveral,
  changeLike,
  changeLike,
  changeType,
  changeType,
  removeKey,
  renameKey,
  nest,
  grow,
  asText,
];
