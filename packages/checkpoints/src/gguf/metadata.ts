import { CheckpointError } from '@mmllm/core';
import { quote } from '../safetensors/json';

/** Integers beyond 2^53 are bigints. */
export type GgufValue = string | number | bigint | boolean | readonly GgufValue[];

/** Names of the types in which a file stores its metadata. */
export type GgufValueType =
  | 'UINT8'
  | 'INT8'
  | 'UINT16'
  | 'INT16'
  | 'UINT32'
  | 'INT32'
  | 'FLOAT32'
  | 'BOOL'
  | 'STRING'
  | 'ARRAY'
  | 'UINT64'
  | 'INT64'
  | 'FLOAT64';

/** One entry of the metadata, with the type in which the file stores it. */
export interface GgufEntry {
  readonly type: GgufValueType;
  /** Of an array: the type of its items. */
  readonly itemType?: GgufValueType;
  readonly value: GgufValue;
}

/** Under their names in the file, such as `general.architecture`. */
export type GgufMetadata = ReadonlyMap<string, GgufEntry>;

interface Kinds {
  text: string;
  integer: number;
  flag: boolean;
  texts: readonly string[];
  numbers: readonly number[];
}

const isText = (value: GgufValue): value is string => typeof value === 'string';
const isNumber = (value: GgufValue): value is number => typeof value === 'number';

const CHECKS: { [K in keyof Kinds]: (value: GgufValue) => value is GgufValue & Kinds[K] } = {
  text: isText,
  integer: (value): value is number => Number.isSafeInteger(value),
  flag: (value): value is boolean => typeof value === 'boolean',
  texts: (value): value is readonly string[] => Array.isArray(value) && value.every(isText),
  numbers: (value): value is readonly number[] => Array.isArray(value) && value.every(isNumber),
};

/**
 * The value under a key, which must be of the kind that is expected; undefined if there is none.
 * @throws CheckpointError
 */
export function metadataValue<K extends keyof Kinds>(
  { name, metadata }: { name: string; metadata: GgufMetadata },
  key: string,
  kind: K,
): Kinds[K] | undefined {
  const entry = metadata.get(key);
  if (entry === undefined) return undefined;
  const is = CHECKS[kind] as (value: GgufValue) => value is GgufValue & Kinds[K];
  if (is(entry.value)) return entry.value;
  const actual = entry.itemType ? `${entry.type} of ${entry.itemType}` : entry.type;
  throw new CheckpointError({ component: name, expected: `${kind} as ${quote(key)}`, actual });
}

/** As `metadataValue`, for what must be there. */
export function requiredValue<K extends keyof Kinds>(
  file: { name: string; metadata: GgufMetadata },
  key: string,
  kind: K,
): Kinds[K] {
  const value = metadataValue(file, key, kind);
  if (value !== undefined) return value;
  throw new CheckpointError({
    component: file.name,
    expected: `${kind} as ${quote(key)}`,
    actual: 'nothing',
  });
}
