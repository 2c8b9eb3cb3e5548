import { fail } from '../fail';
import { space, stripEnd } from '../python/whitespace';
import { unescaped } from './unescape';

/** A token as the parser of @huggingface/jinja takes it. */
export interface Token {
  readonly type: string;
  readonly value: string;
  /** Of operators: which brackets they stand in, for the parser forgets where there were some. */
  readonly group?: number;
  /** Of `in`: it is `not in`. */
  readonly negated?: boolean;
}

const symbols: Readonly<Record<string, string>> = {
  '(': 'OpenParen',
  ')': 'CloseParen',
  '{': 'OpenCurlyBracket',
  '}': 'CloseCurlyBracket',
  '[': 'OpenSquareBracket',
  ']': 'CloseSquareBracket',
  ',': 'Comma',
  '.': 'Dot',
  ':': 'Colon',
  '|': 'Pipe',
  '=': 'Equals',
  '+': 'AdditiveBinaryOperator',
  '-': 'AdditiveBinaryOperator',
  '~': 'AdditiveBinaryOperator',
  '*': 'MultiplicativeBinaryOperator',
  '/': 'MultiplicativeBinaryOperator',
  '//': 'MultiplicativeBinaryOperator',
  '%': 'MultiplicativeBinaryOperator',
  '**': 'ExponentiationBinaryOperator',
  '<': 'ComparisonBinaryOperator',
  '>': 'ComparisonBinaryOperator',
  '<=': 'ComparisonBinaryOperator',
  '>=': 'ComparisonBinaryOperator',
  '==': 'ComparisonBinaryOperator',
  '!=': 'ComparisonBinaryOperator',
};

const closing: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

const opening = /\{(?:%([-+]?)(\s*raw\s*-?%\})?|([{#])([-+]?))/g;
const float = /(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy;
const integer = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy;
const name = /[\p{L}\p{M}\p{N}_]+/uy;
const string = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/sy;
const operator = /\/\/|\*\*|[=!<>]=|[-+/*%~[\](){}<>=.:|,]/y;
const blank = new RegExp(`[${space}]+`, 'y');

/**
 * Cuts a template into tokens as Jinja does with `trim_blocks` and `lstrip_blocks` (jinja2/lexer.py), which is how
 * transformers opens chat templates. The lexer of @huggingface/jinja handles blanks and escapes in other ways.
 * @throws TemplateError for what Jinja cannot read.
 */
export function tokenize(template: string): Token[] {
  const source = template.replace(/\r\n?/g, '\n').replace(/\n$/, '');
  return new Lexer(source).run();
}

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #groups = 0;

  constructor(source: string) {
    this.#source = source;
  }

  run(): Token[] {
    while (this.#at < this.#source.length) {
      opening.lastIndex = this.#at;
      const found = opening.exec(this.#source);
      if (!found) {
        this.#text(this.#source.slice(this.#at));
        break;
      }
      const [all, blockSign, raw, kind = '%', sign = blockSign] = found;
      this.#text(this.#before(found.index, sign, kind));
      this.#at = found.index + all.length;
      if (raw) this.#raw(raw);
      else if (kind === '#') this.#comment();
      else this.#tag(kind);
    }
    return this.#tokens;
  }

  #text(value: string): void {
    if (value !== '') this.#tokens.push({ type: 'Text', value });
  }

  /** The text up to a tag, without the blanks that the tag takes. */
  #before(end: number, sign: string | undefined, kind: string): string {
    const text = this.#source.slice(this.#at, end);
    if (sign === '-') return stripEnd(text);
    if (sign === '+' || kind === '{') return text;
    const line = text.lastIndexOf('\n') + 1;
    const startsLine = line > 0 || this.#at === 0 || this.#source[this.#at - 1] === '\n';
    const isEmpty = stripEnd(text.slice(line)) === '';
    return startsLine && isEmpty ? text.slice(0, line) : text;
  }

  #skip(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source)?.[0];
    if (found) this.#at += found.length;
    return found;
  }

  /** Behind a tag: `-` takes all blanks, else the tags but `{{ }}` take one line break. */
  #close(mark: string, isBlock: boolean): boolean {
    const rest = (sign: string) => this.#source.startsWith(sign + mark, this.#at);
    const sign = rest('-') ? '-' : isBlock && rest('+') ? '+' : '';
    if (!rest(sign)) return false;
    this.#at += sign.length + mark.length;
    if (sign === '-') this.#skip(blank);
    else if (isBlock && sign === '' && this.#source[this.#at] === '\n') this.#at++;
    return true;
  }

  #comment(): void {
    const end = this.#source.indexOf('#}', this.#at);
    if (end < 0) fail('syntax', 'Missing end of comment tag');
    const hasSign = end > this.#at && '-+'.includes(this.#source[end - 1]);
    this.#at = hasSign ? end - 1 : end;
    this.#close('#}', true);
  }

  #raw(tag: string): void {
    if (tag.endsWith('-%}')) this.#skip(blank);
    const end = /\{%([-+]?)\s*endraw\s*(?=[-+]?%\})/g;
    end.lastIndex = this.#at;
    const found = end.exec(this.#source);
    if (!found) throw fail('syntax', 'Missing end of raw directive');
    this.#text(this.#before(found.index, found[1], '%'));
    this.#at = found.index + found[0].length;
    this.#close('%}', true);
  }

  #tag(kind: string): void {
    const [open, close, end] = kind === '%' ? ['{%', '%}', 'Statement'] : ['{{', '}}', 'Expression'];
    this.#tokens.push({ type: `Open${end}`, value: open });
    const brackets: { close: string; group: number }[] = [{ close: '', group: this.#groups++ }];
    for (;;) {
      this.#skip(blank);
      if (brackets.length === 1 && this.#close(close, kind === '%')) break;
      if (this.#at >= this.#source.length) fail('syntax', 'unexpected end of template');
      this.#tokens.push(this.#token(brackets));
    }
    this.#tokens.push({ type: `Close${end}`, value: close });
  }

  #token(brackets: { close: string; group: number }[]): Token {
    // The digits of `a.0.1` are two places, not a number.
    const number = this.#source[this.#at - 1] === '.' ? undefined : this.#skip(float);
    if (number) return { type: 'NumericLiteral', value: floatValue(number) };
    const digits = this.#skip(integer);
    if (digits) return integerToken(digits);
    const word = this.#skip(name);
    if (word) return { type: 'Identifier', value: word, group: brackets[brackets.length - 1].group };
    const quoted = this.#skip(string);
    if (quoted) return { type: 'StringLiteral', value: unescaped(quoted.slice(1, -1)) };
    const value = this.#skip(operator);
    if (!value) return fail('syntax', `unexpected char '${this.#source[this.#at]}' at ${this.#at}`);
    return this.#symbol(value, brackets);
  }

  #symbol(value: string, brackets: { close: string; group: number }[]): Token {
    if (value in closing) brackets.push({ close: closing[value], group: this.#groups++ });
    else if (')]}'.includes(value) && brackets.pop()!.close !== value)
      fail('syntax', `unexpected '${value}'`);
    return { type: symbols[value], value, group: brackets[brackets.length - 1].group };
  }
}

/** Without an exponent, for the parser tells a float by its point. */
function floatValue(digits: string): string {
  const value = Number(digits.replaceAll('_', ''));
  if (value === Number.POSITIVE_INFINITY) return '1.0e999';
  const text = String(value);
  return text.includes('.') ? text : text.replace(/^\d+/, '$&.0');
}

/** What is too large for the parser passes it as a name, that no variable has. */
function integerToken(digits: string): Token {
  const value = BigInt(digits.replaceAll('_', '').replace(/^0+(?=\d)/, ''));
  const isSafe = value <= BigInt(Number.MAX_SAFE_INTEGER);
  return { type: isSafe ? 'NumericLiteral' : 'Identifier', value: String(value) };
}
