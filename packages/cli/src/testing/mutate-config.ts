import { type Random, random } from '@mmllm/core';

/** A damaged copy of the text of a `config.json`; the same seed gives the same damage. Now and then it is still valid. */
export function mutateConfig(text: string, seed: number): string {
  const draw = random('mutate config', seed);
  return pick(KINDS, draw)(text, draw);
}

type Mutation = (text: string, draw: Random) => string;

const pick = <T>(items: readonly T[], draw: Random): T => items[draw.integer(items.length)];

const nested = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;

const NUMBERS = [
  '0',
  '-1',
  '1',
  '2',
  '3',
  '0.5',
  '1e-320',
  '7',
  '512',
  '513',
  '65536',
  '67108864',
  '67108865',
  '1e9',
];
const HUGE = [
  '2147483648',
  '4294967296',
  '9007199254740992',
  '9007199254740993',
  '1e21',
  '1e308',
  '1e999',
  '-1e999',
];
const OTHERS = [
  'null',
  'true',
  'false',
  '""',
  '"12"',
  '"constructor"',
  '"__proto__"',
  '[]',
  '{}',
  '[1]',
  '{"a":1}',
  '[[[]]]',
];
const WRONG = [
  'NaN',
  'Infinity',
  '01',
  "'a'",
  'undefined',
  '',
  nested(100),
  nested(15_000),
  `"${'x'.repeat(100_000)}"`,
];
/** Words that configurations hold elsewhere. */
const WORDS = [
  '"gelu"',
  '"silu"',
  '"llama"',
  '"vit"',
  '"clip"',
  '"yarn"',
  '"linear"',
  '"bfloat16"',
  '["ViTModel"]',
];

/** Keys with what stands before their values, as the texts have them; values that are no objects themselves. */
const MEMBER = /"([^"]+)":\s*(-?[\d.][\d.eE+-]*|"[^"]*"|true|false|null)/g;

function member(text: string, draw: Random): { start: number; end: number; key: string; value: string } {
  const all = [...text.matchAll(MEMBER)];
  // Tiny configurations have each key once or twice; numbers matter the most.
  const numbers = all.filter(([, , value]) => /\d/.test(value[0]));
  const { index, 0: whole, 1: key, 2: value } = pick(draw.integer(4) === 0 ? all : numbers, draw);
  return { start: index, end: index + whole.length, key, value };
}

function replaceMember(text: string, draw: Random, put: (key: string, value: string) => string): string {
  const { start, end, key, value } = member(text, draw);
  return text.slice(0, start) + put(key, value) + text.slice(end);
}

const changeValue: Mutation = (text, draw) =>
  replaceMember(
    text,
    draw,
    (key) => `"${key}": ${pick(pick([NUMBERS, NUMBERS, HUGE, OTHERS, WRONG, WORDS], draw), draw)}`,
  );

const changeSeveral: Mutation = (text, draw) => changeValue(changeValue(changeValue(text, draw), draw), draw);

const scaleNumber: Mutation = (text, draw) =>
  replaceMember(
    text,
    draw,
    (key, value) => `"${key}": ${Number(value) * pick([2, 3, 10, 0.5, -1, 1e6, 1e12], draw)}`,
  );

const renameKey: Mutation = (text, draw) =>
  replaceMember(text, draw, (key, value) => {
    const name = pick([`${key}_`, key.toUpperCase(), '__proto__', 'constructor', 'toString', ''], draw);
    return `"${name}": ${value}`;
  });

const repeatKey: Mutation = (text, draw) =>
  replaceMember(
    text,
    draw,
    (key, value) => `"${key}": ${value}, "${key}": ${pick([...NUMBERS, ...OTHERS], draw)}`,
  );

const addKey: Mutation = (text, draw) => {
  const value = pick(['{"hidden_size": 1e9}', '[]', 'null', nested(50), '{"toString": 1}'], draw);
  return text.replace(
    '{',
    `{"${pick(['__proto__', 'constructor', 'x', 'vision_config', 'text_config'], draw)}": ${value},`,
  );
};

const replaceAll: Mutation = (text, draw) => {
  const value = pick([...NUMBERS, ...HUGE], draw);
  return text.replace(/(?<=:\s*)\d+(?=[,\s}])/g, value);
};

/** The whole, or an object within it, becomes something else. */
const replaceObject: Mutation = (text, draw) => {
  const starts = [...text.matchAll(/\{/g)].map(({ index }) => index);
  const start = pick(starts, draw);
  const end = text.indexOf('}', start) + 1;
  return text.slice(0, start) + pick([...OTHERS, ...WRONG, '5'], draw) + text.slice(end);
};

const truncate: Mutation = (text, draw) => text.slice(0, draw.integer(text.length));

const changeCharacters: Mutation = (text, draw) => {
  const characters = [...text];
  for (let count = draw.integer(3); count >= 0; count--) {
    characters[draw.integer(characters.length)] = pick([...'0123456789{}[]",:\\ -.e\0\u00ff'], draw);
  }
  return characters.join('');
};

const KINDS = [
  changeValue,
  changeValue,
  changeValue,
  changeSeveral,
  scaleNumber,
  renameKey,
  repeatKey,
  addKey,
  replaceAll,
  replaceObject,
  truncate,
  changeCharacters,
];
