import { CheckpointError } from '@mmllm/core';

/** A number as it was written, since the format tells `1` from `1.0`. */
export class JsonNumber {
  constructor(readonly literal: string) {}
}

/** Objects are maps: a tensor may be called `__proto__`, and the order of names such as `1` is kept. */
export type Json = null | boolean | string | JsonNumber | readonly Json[] | ReadonlyMap<string, Json>;

export const isJsonObject = (value: Json | undefined): value is ReadonlyMap<string, Json> =>
  value instanceof Map;

/** As deep as serde_json, the reference library's parser, goes. */
const MAX_DEPTH = 128;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** A text for a message: quoted, and cut short where someone else decided its length. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 99)}…` : text);
}

/** True for text that has a UTF-8 encoding. */
export const isWellFormed = (text: string): boolean => !LONE_SURROGATE.test(text);

/**
 * Parses JSON (RFC 8259) and refuses what `JSON.parse` lets through: duplicate keys, escapes of lone surrogates,
 * nesting beyond 128 levels.
 * @throws CheckpointError naming the position.
 */
export function parseStrictJson(text: string, component: string): Json {
  return new Parser(text, component).document();
}

class Parser {
  private position = 0;
  private depth = 0;

  constructor(
    private readonly text: string,
    private readonly component: string,
  ) {}

  document(): Json {
    const value = this.value();
    if (this.peek() !== undefined) this.fail('the end of the JSON');
    return value;
  }

  private value(): Json {
    const next = this.peek();
    if (next === '"') return this.string();
    if (next === '{') return this.nested(() => this.object());
    if (next === '[') return this.nested(() => this.array());
    if (next === 'n') return this.word('null', null);
    if (next === 't') return this.word('true', true);
    if (next === 'f') return this.word('false', false);
    return this.number();
  }

  private word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.position)) this.fail(word);
    this.position += word.length;
    return value;
  }

  private nested<T>(parse: () => T): T {
    if (++this.depth > MAX_DEPTH) this.fail(`JSON of at most ${MAX_DEPTH} levels`);
    this.position++;
    const value = parse();
    this.depth--;
    return value;
  }

  private object(): ReadonlyMap<string, Json> {
    const members = new Map<string, Json>();
    if (this.skip('}')) return members;
    do {
      if (this.peek() !== '"') this.fail('a key in quotes');
      const key = this.string();
      if (members.has(key)) this.fail('each key once', `${quote(key)} twice`);
      if (!this.skip(':')) this.fail("':'");
      members.set(key, this.value());
    } while (this.skip(','));
    if (!this.skip('}')) this.fail("',' or '}'");
    return members;
  }

  private array(): readonly Json[] {
    const items: Json[] = [];
    if (this.skip(']')) return items;
    do items.push(this.value());
    while (this.skip(','));
    if (!this.skip(']')) this.fail("',' or ']'");
    return items;
  }

  private string(): string {
    const start = this.position;
    let escaped = false;
    for (let end = start + 1; end < this.text.length; end++) {
      const code = this.text.charCodeAt(end);
      if (code === 0x22) {
        this.position = end + 1;
        return escaped ? this.unescape(start) : this.text.slice(start + 1, end);
      }
      if (code < 0x20) break;
      if (code === 0x5c) {
        escaped = true;
        end++;
      }
    }
    return this.fail('a string that ends, without control characters');
  }

  /** The string literal from `start` to the current position, which holds a backslash. */
  private unescape(start: number): string {
    const literal = this.text.slice(start, this.position);
    let text: string | undefined;
    try {
      text = JSON.parse(literal) as string;
    } catch {
      // Reported below, with our position.
    }
    if (text !== undefined && isWellFormed(text)) return text;
    return this.fail('escapes of valid characters', quote(literal));
  }

  private number(): JsonNumber {
    NUMBER.lastIndex = this.position;
    const literal = NUMBER.exec(this.text)?.[0];
    if (literal === undefined) return this.fail('a JSON value');
    this.position += literal.length;
    return new JsonNumber(literal);
  }

  /** The next character that is no whitespace; undefined at the end. */
  private peek(): string | undefined {
    while (' \t\n\r'.includes(this.text.charAt(this.position)) && this.position < this.text.length)
      this.position++;
    return this.text[this.position];
  }

  private skip(character: string): boolean {
    const found = this.peek() === character;
    if (found) this.position++;
    return found;
  }

  private fail(expected: string, actual?: string): never {
    const next = this.text[this.position];
    throw new CheckpointError({
      component: this.component,
      expected: `${expected} at character ${this.position} of the JSON`,
      actual: actual ?? (next === undefined ? 'its end' : quote(next)),
    });
  }
}
