import { CheckpointError } from '@mmllm/core';
import { type ByteSource, type ReadOptions, readExactly } from '../source';
import { byteLength, describeTensor, isDtype, type TensorInfo } from './dtype';
import { isJsonObject, type Json, JsonNumber, parseStrictJson, quote } from './json';

/** Where a tensor stands: bytes `start` to `end` (exclusive) of the file. */
export interface TensorSpan extends TensorInfo {
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** The free text entries of `__metadata__`; empty when there are none. */
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of the file. */
  readonly tensors: ReadonlyMap<string, TensorSpan>;
}

/** Eight bytes before the header hold its length. */
export const PREFIX_BYTES = 8;
/** The reference library's limit. */
export const MAX_HEADER_BYTES = 100_000_000;
export const METADATA_KEY = '__metadata__';

/**
 * Reads and checks the header; the tensors themselves are not touched.
 * @throws CheckpointError for anything the reference library refuses, and for duplicate keys.
 */
export async function readHeader(source: ByteSource, options?: ReadOptions): Promise<SafetensorsHeader> {
  const { name: component, size } = source;
  if (size < PREFIX_BYTES) {
    throw new CheckpointError({ component, expected: 'a safetensors file', actual: `${size} bytes` });
  }
  const prefix = await readExactly(source, 0, PREFIX_BYTES, options);
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true);
  const limit = Math.min(MAX_HEADER_BYTES, size - PREFIX_BYTES);
  if (length > limit) {
    throw new CheckpointError({
      component,
      expected: `a header of at most ${limit} bytes`,
      actual: `${length}`,
      hint: 'The file is truncated or no safetensors file.',
    });
  }
  const json = await readExactly(source, PREFIX_BYTES, PREFIX_BYTES + Number(length), options);
  return parseHeader(json, size, component);
}

/**
 * Parses the JSON part of a file of `fileSize` bytes and checks that its tensors fill the rest exactly.
 * Source of the rules: https://github.com/huggingface/safetensors#format
 * @throws CheckpointError
 */
export function parseHeader(
  json: Uint8Array,
  fileSize: number,
  component = 'safetensors',
): SafetensorsHeader {
  const root = parseStrictJson(decode(json, component), component);
  if (!isJsonObject(root))
    throw new CheckpointError({ component, expected: 'a JSON object', actual: 'another value' });
  const dataStart = PREFIX_BYTES + json.byteLength;
  const spans: [string, TensorSpan][] = [];
  for (const [name, entry] of root) {
    if (name !== METADATA_KEY) spans.push([name, parseSpan(name, entry, dataStart, component)]);
  }
  spans.sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  checkCoverage(spans, dataStart, fileSize, component);
  return { metadata: parseMetadata(root.get(METADATA_KEY), component), tensors: new Map(spans) };
}

function decode(json: Uint8Array, component: string): string {
  if (json[0] !== 0x7b) {
    throw new CheckpointError({
      component,
      expected: "a header that begins with '{'",
      actual: 'other bytes',
    });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
  } catch (cause) {
    throw new CheckpointError({ component, expected: 'a header in UTF-8', actual: 'other bytes', cause });
  }
}

function parseMetadata(value: Json | undefined, component: string): Record<string, string> {
  const metadata: Record<string, string> = Object.create(null);
  // The reference library takes null for "none".
  if (value === undefined || value === null) return metadata;
  if (!isJsonObject(value)) {
    throw new CheckpointError({
      component,
      expected: `an object as ${METADATA_KEY}`,
      actual: 'another value',
    });
  }
  for (const [key, text] of value) {
    if (typeof text !== 'string') {
      throw new CheckpointError({
        component,
        expected: `text under ${METADATA_KEY}`,
        actual: `another value for ${quote(key)}`,
      });
    }
    metadata[key] = text;
  }
  return metadata;
}

function parseSpan(name: string, entry: Json, dataStart: number, component: string): TensorSpan {
  const refuse = (expected: string, actual: string) =>
    new CheckpointError({ component, expected: `${expected} for tensor ${quote(name)}`, actual });
  if (!isJsonObject(entry)) throw refuse('an object', 'another value');

  const dtype = entry.get('dtype');
  if (typeof dtype !== 'string' || !isDtype(dtype)) {
    throw refuse('a known dtype', typeof dtype === 'string' ? quote(dtype) : 'no text');
  }
  const shape = parseCounts(entry.get('shape'));
  if (!shape) throw refuse('a shape of non-negative integers', 'another value');
  const offsets = parseCounts(entry.get('data_offsets'));
  if (offsets?.length !== 2) throw refuse('two data_offsets', 'another value');

  const [begin, end] = offsets as [number, number];
  const bytes = byteLength({ dtype, shape });
  if (bytes === undefined || bytes !== end - begin) {
    const expected = bytes === undefined ? 'a countable, whole number of bytes' : `${bytes} bytes`;
    throw refuse(`${expected} as ${describeTensor({ dtype, shape })}`, `data_offsets [${begin}, ${end}]`);
  }
  return { dtype, shape, start: dataStart + begin, end: dataStart + end };
}

/** A list of non-negative safe integers in plain digits. */
function parseCounts(value: Json | undefined): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const counts = (value as readonly Json[]).map((item) =>
    item instanceof JsonNumber && /^\d+$/.test(item.literal) ? Number(item.literal) : Number.NaN,
  );
  return counts.every(Number.isSafeInteger) ? counts : undefined;
}

/** Without overlap, hole or rest, so that no byte of the file has two meanings or none. */
function checkCoverage(
  spans: [string, TensorSpan][],
  dataStart: number,
  size: number,
  component: string,
): void {
  let position = dataStart;
  for (const [name, { start, end }] of spans) {
    if (start !== position || end > size) {
      const fault = start < position ? 'an overlap' : start > position ? 'a hole' : 'the end of the file';
      throw new CheckpointError({
        component,
        expected: 'tensors that follow each other within the file',
        actual: `${fault} at ${quote(name)}`,
        hint: end > size ? 'The file is truncated.' : undefined,
      });
    }
    position = end;
  }
  if (position !== size) {
    throw new CheckpointError({
      component,
      expected: `tensors up to the end of the file at ${size}`,
      actual: `the last one ends at ${position}`,
    });
  }
}
