import { TokenizerError } from '@mmllm/core';

/** The content of a JSON file: `tokenizer.json` or `tokenizer_config.json`. */
export type JsonObject = { readonly [key: string]: unknown };

/** A part of `tokenizer.json` and its name, which errors give. */
export interface FilePart {
  readonly name: string;
  readonly json: JsonObject;
}

/** @throws TokenizerError naming the part of the file. */
export function refuse(component: string, expected: string, actual: unknown): never {
  const text = typeof actual === 'string' ? `'${actual.slice(0, 80)}'` : show(actual);
  throw new TokenizerError({ component, expected, actual: text });
}

const show = (value: unknown) => JSON.stringify(value)?.slice(0, 80) ?? 'nothing';

/** A file as text or parsed. @throws TokenizerError unless it is a JSON object. */
export function parseObject(component: string, value: unknown): JsonObject {
  let parsed = value;
  if (typeof value === 'string') {
    try {
      parsed = JSON.parse(value);
    } catch (cause) {
      const actual = (cause as SyntaxError).message;
      throw new TokenizerError({ component, expected: 'JSON', actual, cause });
    }
  }
  return isObject(parsed) ? parsed : refuse(component, 'a JSON object', parsed);
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reads the keys of a part. */
export class Fields {
  constructor(
    readonly component: string,
    readonly json: JsonObject,
  ) {}

  static of(component: string, value: unknown): Fields {
    return new Fields(component, isObject(value) ? value : refuse(component, 'a JSON object', value));
  }

  string(key: string, usual?: string): string {
    return this.read(key, usual, 'text', (value): value is string => typeof value === 'string');
  }

  flag(key: string, usual?: boolean): boolean {
    return this.read(key, usual, 'true or false', (value): value is boolean => typeof value === 'boolean');
  }

  count(key: string, usual?: number): number {
    return this.read(
      key,
      usual,
      'a whole number from 0 on',
      (value): value is number => Number.isSafeInteger(value) && (value as number) >= 0,
    );
  }

  /** Text, or undefined where the key is missing or null. */
  optionalString(key: string): string | undefined {
    return this.json[key] == null ? undefined : this.string(key);
  }

  list(key: string): readonly unknown[] {
    return this.read(key, undefined, 'a list', (value): value is unknown[] => Array.isArray(value));
  }

  /** The parts of a sequence. */
  parts(key: string): Fields[] {
    return this.list(key).map((json, i) => Fields.of(`${this.component}.${key}[${i}]`, json));
  }

  private read<T>(
    key: string,
    usual: T | undefined,
    expected: string,
    is: (value: unknown) => value is T,
  ): T {
    const value = Object.hasOwn(this.json, key) ? this.json[key] : undefined;
    if (value == null && usual !== undefined) return usual;
    return is(value) ? value : refuse(`${this.component}.${key}`, expected, value);
  }
}
