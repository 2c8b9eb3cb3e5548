/** For tests: seeded damage to safetensors files. Not exported from the package. */
import { type Random, random } from '@mmllm/core';

/** A damaged copy of `file`; the same seed gives the same damage. Now and then the result is still valid. */
export function mutate(file: Uint8Array, seed: number): Uint8Array<ArrayBuffer> {
  const draw = random('mutate', seed);
  const kinds = [
    flipBits,
    overwrite,
    truncate,
    extend,
    resizeHeader,
    cutHeader,
    repeatInHeader,
    replaceNumber,
    editEntry,
  ];
  const kind = kinds[seed % kinds.length]!;
  return kind(new Uint8Array(file), draw);
}

type Bytes = Uint8Array<ArrayBuffer>;
type Mutation = (file: Bytes, draw: Random) => Bytes;

const pick = <T>(items: readonly T[], draw: Random): T => items[draw.integer(items.length)]!;

const headerEnd = (file: Bytes): number => 8 + Number(new DataView(file.buffer).getBigUint64(0, true));

const flipBits: Mutation = (file, draw) => {
  for (let count = draw.integer(3); count >= 0; count--) {
    const index = draw.integer(Math.min(headerEnd(file), file.length));
    file[index]! ^= 1 << draw.integer(8);
  }
  return file;
};

const overwrite: Mutation = (file, draw) => {
  const index = 8 + draw.integer(headerEnd(file) - 8);
  file[index] = pick([...new TextEncoder().encode('0123456789{}[]",:\\ -.eEnul\0\u00ff')], draw);
  return file;
};

const truncate: Mutation = (file, draw) =>
  file.slice(0, draw.integer(pick([16, headerEnd(file), file.length], draw)));

const extend: Mutation = (file, draw) => {
  const longer = new Uint8Array(file.length + 1 + draw.integer(64));
  longer.set(file);
  return longer;
};

const resizeHeader: Mutation = (file, draw) => {
  const length = BigInt(headerEnd(file) - 8);
  const lengths = [
    0n,
    1n,
    length - 1n,
    length + 1n,
    length + 8n,
    100_000_001n,
    2n ** 32n,
    2n ** 63n,
    2n ** 64n - 1n,
  ];
  new DataView(file.buffer).setBigUint64(0, pick(lengths, draw), true);
  return file;
};

/** Puts another text in the place of the header and keeps the length right. */
function withHeader(file: Bytes, edit: (json: string) => string): Bytes {
  const end = headerEnd(file);
  const json = new TextEncoder().encode(edit(new TextDecoder().decode(file.subarray(8, end))));
  const result = new Uint8Array(8 + json.length + file.length - end);
  new DataView(result.buffer).setBigUint64(0, BigInt(json.length), true);
  result.set(json, 8);
  result.set(file.subarray(end), 8 + json.length);
  return result;
}

const cutHeader: Mutation = (file, draw) =>
  withHeader(file, (json) => {
    const start = draw.integer(json.length);
    return json.slice(0, start) + json.slice(start + 1 + draw.integer(20));
  });

/** Says something twice: a few characters, or a whole entry under the same name. */
const repeatInHeader: Mutation = (file, draw) =>
  withHeader(file, (json) => {
    const [first] = /"[^"]*":\{[^}]*\},/.exec(json.slice(draw.integer(json.length >> 1))) ?? [''];
    if (draw.integer(2) === 0) return `{${first}${json.slice(1)}`;
    const start = draw.integer(json.length);
    const end = start + draw.integer(30);
    return json.slice(0, end) + json.slice(start);
  });

const NUMBERS = [
  '0',
  '1',
  '4',
  '-1',
  '-0',
  '1.0',
  '1e3',
  '01',
  '4294967296',
  '9007199254740993',
  '18446744073709551615',
];

const replaceNumber: Mutation = (file, draw) =>
  withHeader(file, (json) => {
    const all = [...json.matchAll(/(?<=[[,])\d+/g)];
    const { index, 0: text } = pick(all, draw);
    return (
      json.slice(0, index) +
      pick([...NUMBERS, `${text}0`, ` ${text} `], draw) +
      json.slice(index + text.length)
    );
  });

const EDITS: [from: RegExp, to: string][] = [
  [/"F32"/, '"F16"'],
  [/"F32"/, '"I32"'],
  [/"F32"/, '"F4"'],
  [/"F32"/, '"f32"'],
  [/"F32"/, 'null'],
  [/"shape":\[/, '"shape":[0,'],
  [/"shape":\[/, '"shape":[1,'],
  [/"shape":\[[^\]]*\]/, '"shape":{}'],
  [/"data_offsets"/, '"offsets"'],
  [/"data_offsets":\[(\d+),(\d+)\]/, '"data_offsets":[$2,$1]'],
  [/\},"/, '},"__metadata__":{"a":"b"},"'],
  [/\},"/, '},"__metadata__":{"a":1},"'],
  [/weight"/, 'weight\\ud800"'],
  [/weight"/, 'weight\\u00e9"'],
  [/^\{/, '{"deep":[[[[[[[[{"a":[]}]]]]]]]],'],
  [/^\{/, '{"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},'],
];

const editEntry: Mutation = (file, draw) =>
  withHeader(file, (json) => {
    const [from, to] = pick(EDITS, draw);
    const start = from.source.startsWith('^') ? 0 : draw.integer(json.length >> 1);
    return json.slice(0, start) + json.slice(start).replace(from, to);
  });
