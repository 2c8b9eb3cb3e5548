/** For tests: seeded damage to GGUF files. Not exported from the package. */
import { type Random, random } from '@mmllm/core';
import { pack, TYPE } from './fixtures';

/**
 * A damaged copy of `file`, a GGUF file with these names in its header; the same seed gives the same damage. Now and
 * then the result is still valid.
 */
export function mutateGguf({ bytes, names, headerEnd }: GgufOriginal, seed: number): Uint8Array<ArrayBuffer> {
  const draw = random('mutate GGUF', seed);
  const kind = KINDS[seed % KINDS.length]!;
  return kind({ bytes: new Uint8Array(bytes), names, headerEnd }, draw);
}

export interface GgufOriginal {
  readonly bytes: Uint8Array;
  /** Of entries and tensors. */
  readonly names: readonly string[];
  readonly headerEnd: number;
}

type Bytes = Uint8Array<ArrayBuffer>;
type Mutation = (file: GgufOriginal & { bytes: Bytes }, draw: Random) => Bytes;

const pick = <T>(items: readonly T[], draw: Random): T => items[draw.integer(items.length)]!;

const HUGE = [2n ** 20n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];
const SMALL = [0n, 1n, 2n, 3n, 4n, 5n, 7n, 8n, 9n, 12n, 13n, 31n, 32n, 33n, 64n, 255n];

/** A number that is small, huge, or near what stands there. */
function otherNumber(now: bigint, draw: Random): bigint {
  const near = [now - 1n, now + 1n, now * 2n, now + 32n, now / 2n].map((value) => BigInt.asUintN(64, value));
  return pick([...SMALL, ...HUGE, ...near, ...near], draw);
}

const view = (bytes: Bytes) => new DataView(bytes.buffer);

function change64(bytes: Bytes, at: number, draw: Random): Bytes {
  if (at + 8 > bytes.length) return bytes;
  view(bytes).setBigUint64(at, otherNumber(view(bytes).getBigUint64(at, true), draw), true);
  return bytes;
}

function change32(bytes: Bytes, at: number, draw: Random): Bytes {
  if (at + 4 > bytes.length) return bytes;
  const other = otherNumber(BigInt(view(bytes).getUint32(at, true)), draw);
  view(bytes).setUint32(at, Number(BigInt.asUintN(32, other)), true);
  return bytes;
}

/** Where a name of the header begins, its length before it. */
function place(
  { bytes, names, headerEnd }: GgufOriginal & { bytes: Bytes },
  draw: Random,
): [start: number, end: number] {
  const name = new TextEncoder().encode(pick(names, draw));
  for (let at = 24; at + name.length <= headerEnd; at++) {
    if (name.every((byte, i) => bytes[at + i] === byte)) return [at, at + name.length];
  }
  return [32, 40];
}

const flipBits: Mutation = ({ bytes, headerEnd }, draw) => {
  for (let count = draw.integer(3); count >= 0; count--)
    bytes[draw.integer(headerEnd)]! ^= 1 << draw.integer(8);
  return bytes;
};

const truncate: Mutation = ({ bytes, headerEnd }, draw) =>
  bytes.slice(0, draw.integer(pick([32, headerEnd, bytes.length], draw)));

const extend: Mutation = ({ bytes }, draw) => {
  const longer = new Uint8Array(bytes.length + 1 + draw.integer(100));
  longer.set(bytes);
  return longer;
};

/** Magic and version, or one of the two counts. */
const changePrefix: Mutation = ({ bytes }, draw) =>
  pick(
    [() => change32(bytes, pick([0, 4], draw), draw), () => change64(bytes, pick([8, 16], draw), draw)],
    draw,
  )();

const changeLength: Mutation = (file, draw) => change64(file.bytes, place(file, draw)[0] - 8, draw);

/** What follows a name: of a tensor its axes, sizes, type and offset, of an entry its type and value. */
const changeFields: Mutation = (file, draw) => {
  const [, end] = place(file, draw);
  const at = end + pick([0, 4, 12, 20, 24, 28, 32], draw);
  return pick([change32, change64], draw)(file.bytes, at, draw);
};

const changeName: Mutation = (file, draw) => {
  const [start, end] = place(file, draw);
  const other = pick([pick(file.names, draw), '__proto__', 'general.alignment', '\xff\xfe\0'], draw);
  for (let i = 0; start + i < end; i++) file.bytes[start + i] = other.charCodeAt(i % other.length);
  return file.bytes;
};

/** Bytes of the header are taken out, or come twice. */
const splice: Mutation = ({ bytes, headerEnd }, draw) => {
  const start = draw.integer(headerEnd);
  const end = Math.min(start + 1 + draw.integer(40), headerEnd);
  const [before, part, after] = [bytes.slice(0, start), bytes.slice(start, end), bytes.slice(end)];
  return draw.integer(2) === 0 ? pack(before, after) : pack(before, part, part, after);
};

const deep = (levels: number) => Array.from({ length: levels }, () => [TYPE.ARRAY, 1n]).flat();

const ENTRIES = [
  pack('general.alignment', TYPE.UINT32, 0),
  pack('general.alignment', TYPE.UINT32, 7),
  pack('general.alignment', TYPE.UINT32, 16),
  pack('general.alignment', TYPE.UINT32, 2 ** 31),
  pack('general.alignment', TYPE.STRING, '32'),
  pack('general.architecture', TYPE.UINT32, 1),
  pack('__proto__', TYPE.ARRAY, TYPE.STRING, 1n, 'a'),
  pack('tensor_count', TYPE.UINT32, 1),
  pack('constructor', TYPE.STRING, 'a'),
  pack('', TYPE.STRING, ''),
  pack('deep', TYPE.ARRAY, ...deep(3), TYPE.UINT8, 0n),
  pack('deep', TYPE.ARRAY, ...deep(50), TYPE.UINT8, 0n),
  pack('wide', TYPE.ARRAY, TYPE.ARRAY, 2n ** 40n),
  pack('wide', TYPE.ARRAY, TYPE.STRING, 10_000n),
  pack('wide', TYPE.ARRAY, TYPE.UINT8, 2n ** 64n - 1n),
  pack('none', TYPE.ARRAY, TYPE.STRING, 0n),
];

/** One more entry in front, and a second one that makes up for its length, so that the tensors stay aligned. */
const addEntry: Mutation = ({ bytes }, draw) => {
  const entry = pick(ENTRIES, draw);
  const filler = pack('f', TYPE.STRING, '');
  const spaces = ' '.repeat((64 - ((entry.length + filler.length) % 32)) % 32);
  const result = pack(bytes.slice(0, 24), entry, pack('f', TYPE.STRING, spaces), bytes.slice(24));
  view(result).setBigUint64(16, view(result).getBigUint64(16, true) + 2n, true);
  return result;
};

const KINDS = [
  flipBits,
  truncate,
  extend,
  changePrefix,
  changeLength,
  changeFields,
  changeFields,
  changeName,
  splice,
  addEntry,
];
