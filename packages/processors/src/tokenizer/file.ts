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
  throw new TokenizerError({ component: component.slice(0, 300), expected, actual: show(actual) });
}

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 80)}'`;
  if (Array.isArray(value) && value.length > 10) return `a list of ${value.length}`;
  if (isObject(value) && Object.keys(value).length > 10) return `${Object.keys(value).length} keys`;
  return JSON.stringify(value)?.slice(0, 80) ?? 'nothing';
}

/** Levels of a file; published ones have six or seven. */
const mostLevels = 64;

/** Whether lists and objects lie in one another more than so many levels deep. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((each) => isDeeper(each, levels - 1));
}

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
  if (isDeeper(parsed, mostLevels)) refuse(component, `at most ${mostLevels} levels`, 'more');
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

  /** One character, as Unicode counts. */
  character(key: string, usual: string): string {
    const text = this.string(key, usual);
    return [...text].length === 1 ? text : refuse(`${this.component}.${key}`, 'one character', text);
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

/** What makes a part, by its `type`. @throws TokenizerError for a kind that is not known. */
export function makerOf<Make>(fields: Fields, kinds: Readonly<Record<string, Make>>): Make {
  const type = fields.string('type');
  if (Object.hasOwn(kinds, type)) return kinds[type];
  return refuse(`${fields.component}.type`, Object.keys(kinds).join(', '), type);
}
