import type { GGUFParseOutput, GGUFTypedMetadata, MetadataValue } from '@huggingface/gguf';
import { GGMLQuantizationType, GGUFValueType, gguf } from '@huggingface/gguf';
import { CheckpointError } from '@mmllm/core';
import { concatBytes } from '../bytes';
import { quote } from '../safetensors/json';
import { type ByteSource, type ReadOptions, readExactly } from '../source';
import type { GgufEntry, GgufMetadata, GgufValue, GgufValueType } from './metadata';
import { GGUF_TYPES, type GgufSpan, ggufByteLength, isGgufType } from './types';
import { type HeaderLayout, MAX_HEADER_BYTES, RunsOut, walkHeader } from './walk';

export interface GgufHeader {
  readonly metadata: GgufMetadata;
  /** In the order of the file. */
  readonly tensors: ReadonlyMap<string, GgufSpan>;
}

/** Bytes that are read first; the header of a model with a vocabulary of 50 000 words fits. */
const FIRST_BYTES = 2_000_000;
const DEFAULT_ALIGNMENT = 32;

/**
 * Reads and checks the header; the tensors themselves are not touched. `@huggingface/gguf` parses it. That library
 * takes a file's word for its counts and fills up what a file lacks with zeros, so the header is walked over before.
 * @throws CheckpointError
 */
export async function readGgufHeader(source: ByteSource, options?: ReadOptions): Promise<GgufHeader> {
  const { bytes, layout } = await readWholeHeader(source, options);
  const { typedMetadata, tensorInfos } = await parse(bytes.subarray(0, layout.length), source.name);
  const metadata = readMetadata(typedMetadata);
  restoreLastTexts(metadata, layout, bytes);
  const alignment = readAlignment(metadata, source.name);
  return { metadata, tensors: placeTensors(tensorInfos, layout.length, alignment, source) };
}

/** Reads from the front of the file until the header is there, twice as much each time. */
async function readWholeHeader(
  source: ByteSource,
  options?: ReadOptions,
): Promise<{ bytes: Uint8Array; layout: HeaderLayout }> {
  const limit = Math.min(source.size, MAX_HEADER_BYTES);
  let bytes: Uint8Array = new Uint8Array(0);
  for (let size = FIRST_BYTES; ; size *= 2) {
    const rest = await readExactly(source, bytes.byteLength, Math.min(size, limit), options);
    bytes = bytes.byteLength === 0 ? rest : concatBytes([bytes, rest]);
    try {
      return { bytes, layout: walkHeader(bytes, source.size, source.name) };
    } catch (error) {
      if (!(error instanceof RunsOut)) throw error;
    }
  }
}

/** Serves the library, which asks for ranges of a URL and likes to read ahead, from the bytes of the header. */
async function parse(
  header: Uint8Array,
  component: string,
): Promise<GGUFParseOutput & { typedMetadata: GGUFTypedMetadata }> {
  const serve = async (_: unknown, init?: RequestInit) => {
    const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init?.headers).get('range') ?? '') ?? [];
    return new Response(new Uint8Array(header.subarray(Number(start), Number(last) + 1)));
  };
  try {
    return await gguf('https://header.invalid', { fetch: serve, typedMetadata: true });
  } catch (cause) {
    const actual = cause instanceof Error ? quote(cause.message) : 'an error';
    throw new CheckpointError({ component, expected: 'a GGUF header', actual, cause });
  }
}

/** Entries that the library adds to those of the file. */
const ADDED: ReadonlySet<string> = new Set(['version', 'tensor_count', 'kv_count']);

interface ParsedEntry {
  type: GGUFValueType;
  subType?: GGUFValueType;
  value?: MetadataValue;
}

function readMetadata(entries: GGUFTypedMetadata): Map<string, GgufEntry> {
  const metadata = new Map<string, GgufEntry>();
  for (const [key, { type, subType, value }] of Object.entries<ParsedEntry>(entries)) {
    if (value === undefined || ADDED.has(key)) continue;
    const itemType = subType === undefined ? undefined : nameOf(subType);
    metadata.set(key, { type: nameOf(type), itemType, value: toNumbers(value) });
  }
  return metadata;
}

const nameOf = (type: GGUFValueType): GgufValueType => GGUFValueType[type] as GgufValueType;

function toNumbers(value: MetadataValue): GgufValue {
  if (Array.isArray(value)) return value.map(toNumbers);
  if (typeof value !== 'bigint') return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** The library asks for bytes in portions of this size. */
const PORTION = 2_000_000;

/**
 * A text that runs across the end of a portion and is the last of an entry: the library cuts it there without a word.
 * Those few are read again.
 */
function restoreLastTexts(
  metadata: Map<string, GgufEntry>,
  { lastTexts }: HeaderLayout,
  bytes: Uint8Array,
): void {
  for (const [key, [start, end]] of lastTexts) {
    if (Math.floor(start / PORTION) === Math.floor((end - 1) / PORTION)) continue;
    const entry = metadata.get(key)!;
    const text = new TextDecoder().decode(bytes.subarray(start, end));
    metadata.set(key, { ...entry, value: withLast(entry.value, text) });
  }
}

function withLast(value: GgufValue, text: string): GgufValue {
  return Array.isArray(value) ? [...value.slice(0, -1), withLast(value.at(-1), text)] : text;
}

function readAlignment(metadata: GgufMetadata, component: string): number {
  const entry = metadata.get('general.alignment');
  if (!entry) return DEFAULT_ALIGNMENT;
  const { type, value } = entry;
  if (type === 'UINT32' && typeof value === 'number' && value > 0 && Number.isInteger(Math.log2(value))) {
    return value;
  }
  const expected = 'a power of two, as UINT32, for general.alignment';
  throw new CheckpointError({ component, expected, actual: `${type} ${quote(String(value))}` });
}

/**
 * Checks that the tensors lie behind each other in the order of the header, each on a multiple of the alignment, as
 * ggml demands. Bytes behind the last one are let pass, as there.
 */
function placeTensors(
  infos: GGUFParseOutput['tensorInfos'],
  headerLength: number,
  alignment: number,
  { name: component, size }: ByteSource,
): Map<string, GgufSpan> {
  const align = (position: number) => Math.ceil(position / alignment) * alignment;
  const dataStart = align(headerLength);
  const tensors = new Map<string, GgufSpan>();
  let position = dataStart;
  for (const { name, shape: sizes, dtype, offset } of infos) {
    const refuse = (expected: string, actual: string) =>
      new CheckpointError({ component, expected: `${expected} for tensor ${quote(name)}`, actual });
    const type = GGMLQuantizationType[dtype] ?? String(dtype);
    if (!isGgufType(type)) throw refuse(`one of ${GGUF_TYPES.join(', ')}`, type);
    const shape = sizes.map(Number).reverse();
    const length = ggufByteLength({ type, shape });
    if (length === undefined) throw refuse('rows of whole blocks', `${type}[${shape.join(', ')}]`);
    const start = dataStart + Number(offset);
    if (start !== position) throw refuse(`offset ${position - dataStart}`, String(offset));
    if (start + length > size) throw refuse(`an end within ${size} bytes`, String(start + length));
    tensors.set(name, { type, shape, start, end: start + length });
    position = align(start + length);
  }
  return tensors;
}
