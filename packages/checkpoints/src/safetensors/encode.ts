import { CheckpointError } from '@mmllm/core';
import type { ReadOptions } from '../source';
import { alignmentRank, byteLength, type Dtype, describeTensor, type TensorInfo } from './dtype';
import { MAX_HEADER_BYTES, METADATA_KEY, PREFIX_BYTES, type SafetensorsHeader } from './header';
import { isWellFormed, quote } from './json';

/** A tensor to write: elements in a typed array of its dtype, or little-endian bytes in a `Uint8Array`. */
export interface TensorInput extends TensorInfo {
  readonly data: ArrayBufferView;
}

/** A tensor whose values are fetched when their turn comes. */
export interface LazyTensor extends TensorInfo {
  read(options?: ReadOptions): Promise<ArrayBufferView>;
}

type Metadata = SafetensorsHeader['metadata'];

/**
 * The bytes of a safetensors file. The same tensors and metadata give the same bytes, in whatever order they come.
 * @throws CheckpointError if a name is used twice or cannot be stored, or if data does not fit its dtype and shape.
 */
export function encodeSafetensors(
  tensors: Iterable<readonly [name: string, tensor: TensorInput]>,
  metadata?: Metadata,
): Uint8Array<ArrayBuffer> {
  const { header, ordered, size } = plan(tensors, metadata);
  const file = new Uint8Array(size);
  file.set(header);
  let position = header.byteLength;
  for (const [name, tensor] of ordered) {
    const bytes = bytesOf(name, tensor, tensor.data);
    file.set(bytes, position);
    position += bytes.byteLength;
  }
  return file;
}

/**
 * The same bytes in chunks, one tensor at a time, so that a large model is never in memory twice.
 * @throws CheckpointError as `encodeSafetensors`.
 */
export async function* streamSafetensors(
  tensors: Iterable<readonly [name: string, tensor: LazyTensor]>,
  { metadata, signal }: { metadata?: Metadata } & ReadOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { header, ordered } = plan(tensors, metadata);
  yield header;
  for (const [name, tensor] of ordered) {
    signal?.throwIfAborted();
    yield bytesOf(name, tensor, await tensor.read({ signal }));
  }
}

interface Plan<T> {
  /** Length prefix and padded JSON. */
  header: Uint8Array;
  ordered: (readonly [string, T])[];
  /** Bytes of the whole file. */
  size: number;
}

/** Places the tensors as the reference library does: widest alignment first, then by name. */
function plan<T extends TensorInfo>(tensors: Iterable<readonly [string, T]>, metadata?: Metadata): Plan<T> {
  const ordered = [...tensors].sort(
    ([nameA, a], [nameB, b]) => alignmentRank(b.dtype) - alignmentRank(a.dtype) || compareUtf8(nameA, nameB),
  );
  const members: string[] = [];
  if (metadata) members.push(member(METADATA_KEY, metadataJson(metadata)));
  const names = new Set([METADATA_KEY]);
  let offset = 0;
  for (const [name, tensor] of ordered) {
    if (names.has(name)) throw refuse('tensor names that differ', `${quote(name)} twice or reserved`);
    names.add(name);
    const bytes = storedBytes(name, tensor);
    const { dtype, shape } = tensor;
    members.push(member(name, JSON.stringify({ dtype, shape, data_offsets: [offset, offset + bytes] })));
    offset += bytes;
  }
  const header = encodeHeader(`{${members.join(',')}}`);
  return { header, ordered, size: header.byteLength + offset };
}

/** Bytes of a tensor. @throws CheckpointError for a shape that cannot be stored. */
export function storedBytes(name: string, tensor: TensorInfo): number {
  const bytes = byteLength(tensor);
  if (bytes !== undefined) return bytes;
  throw refuse(`a shape that fills whole bytes for ${quote(name)}`, describeTensor(tensor));
}

function encodeHeader(json: string): Uint8Array {
  const text = new TextEncoder().encode(json);
  // The data start at a multiple of eight, so that every element of every tensor is aligned.
  const length = Math.ceil(text.byteLength / 8) * 8;
  if (length > MAX_HEADER_BYTES) throw refuse(`a header of at most ${MAX_HEADER_BYTES} bytes`, `${length}`);
  const header = new Uint8Array(PREFIX_BYTES + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(text, PREFIX_BYTES);
  return header;
}

function metadataJson(metadata: Metadata): string {
  const entries = Object.entries(metadata).sort(([a], [b]) => compareUtf8(a, b));
  return `{${entries.map(([key, text]) => member(key, quoted(text))).join(',')}}`;
}

const member = (key: string, json: string): string => `${quoted(key)}:${json}`;

function quoted(text: string): string {
  if (!isWellFormed(text)) throw refuse('text that UTF-8 can hold', quote(text));
  return JSON.stringify(text);
}

/** Order of the UTF-8 bytes, as Rust compares strings; `<` would compare UTF-16 and put U+E000 after U+10000. */
function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const difference = rank(a.charCodeAt(index)) - rank(b.charCodeAt(index));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Surrogates stand for the highest characters. */
const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);

/** The dtypes that each typed array holds elements of; other views are raw bytes. */
const ELEMENTS: Readonly<Record<string, readonly Dtype[]>> = {
  Int8Array: ['I8'],
  Int16Array: ['I16'],
  Uint16Array: ['U16', 'F16', 'BF16'],
  Int32Array: ['I32'],
  Uint32Array: ['U32'],
  Float32Array: ['F32'],
  Float64Array: ['F64'],
  BigInt64Array: ['I64'],
  BigUint64Array: ['U64'],
};

function bytesOf(name: string, tensor: TensorInfo, data: ArrayBufferView): Uint8Array {
  const kind = Object.prototype.toString.call(data).slice('[object '.length, -1);
  const fits = ELEMENTS[kind]?.includes(tensor.dtype) ?? true;
  if (!fits || data.byteLength !== byteLength(tensor)) {
    throw refuse(
      `data of ${describeTensor(tensor)} for ${quote(name)}`,
      `${kind} of ${data.byteLength} bytes`,
    );
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

const refuse = (expected: string, actual: string) =>
  new CheckpointError({ component: 'safetensors', expected, actual });
