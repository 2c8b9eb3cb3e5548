import type { Token } from './lexer';
import { callTuple, generationMark, withMark } from './marks';

// What the parser of @huggingface/jinja does not know is said in words that it knows, for the interpreter to understand.

const id = (value: string): Token => ({ type: 'Identifier', value });
const symbol = (type: string, value: string): Token => ({ type, value });

/**
 * - `{% generation %}` becomes a call block, which transformers makes of it, too; `{% with a = 1 %}` likewise.
 * - A test becomes a filter: `x is divisibleby 3` → `x | ‹is divisibleby›(3)`. They bind equally in Jinja.
 * - `()` and `(1,)` become calls, and `not in` one token.
 */
export function rewrite(tokens: readonly Token[]): Token[] {
  return tuples(tests(blocks(tokens)));
}

const tags: Readonly<Record<string, readonly Token[]>> = {
  generation: [id('call'), id(generationMark), symbol('OpenParen', '('), symbol('CloseParen', ')')],
  endgeneration: [id('endcall')],
  endwith: [id('endcall')],
};

function blocks(tokens: readonly Token[]): Token[] {
  const result: Token[] = [];
  let isWith = false;
  tokens.forEach((token, i) => {
    const startsTag = tokens[i - 1]?.type === 'OpenStatement' && token.type === 'Identifier';
    if (startsTag && token.value === 'with') {
      isWith = true;
      result.push(id('call'), id(withMark), symbol('OpenParen', '('));
    } else if (startsTag && Object.hasOwn(tags, token.value)) {
      result.push(...tags[token.value]);
    } else {
      if (isWith && token.type === 'CloseStatement') {
        result.push(symbol('CloseParen', ')'));
        isWith = false;
      }
      result.push(token);
    }
  });
  return result;
}

const isWord = (token: Token | undefined, ...words: string[]) =>
  token?.type === 'Identifier' && words.includes(token.value);

function tests(tokens: readonly Token[]): Token[] {
  const result: Token[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i];
    const isName = tokens[i - 1]?.type === 'Dot';
    if (isWord(token, 'not') && isWord(tokens[i + 1], 'in')) {
      result.push({ ...tokens[++i], negated: true });
    } else if (!isName && isWord(token, 'is') && tokens[i + 1]?.type === 'Identifier') {
      const negated = isWord(tokens[i + 1], 'not');
      i += negated ? 2 : 1;
      const test = tokens[i];
      if (test?.type !== 'Identifier') return [...tokens];
      const end = argumentsEnd(tokens, i + 1);
      result.push(
        symbol('Pipe', '|'),
        id(`${negated ? 'is not' : 'is'} ${test.value}`),
        symbol('OpenParen', '('),
      );
      // What stands in brackets is their arguments, else it is one argument.
      const isCall = tokens[i + 1]?.type === 'OpenParen';
      const inside = isCall ? tokens.slice(i + 2, end - 1) : tokens.slice(i + 1, end);
      result.push(...tests(inside), symbol('CloseParen', ')'));
      i = end - 1;
    } else {
      result.push(token);
    }
  }
  return result;
}

/** Where the arguments of a test end, that starts at a place or has none. */
function argumentsEnd(tokens: readonly Token[], start: number): number {
  const first = tokens[start];
  if (first?.type === 'OpenParen') return bracketEnd(tokens, start);
  const literal = ['StringLiteral', 'NumericLiteral', 'OpenSquareBracket', 'OpenCurlyBracket'];
  const isName = first?.type === 'Identifier' && !isWord(first, 'else', 'or', 'and', 'if', 'is', 'in', 'not');
  if (!isName && !literal.includes(first?.type)) return start;
  let end = first.type.startsWith('Open') ? bracketEnd(tokens, start) : start + 1;
  for (;;) {
    const type = tokens[end]?.type;
    if (type === 'Dot') end += 2;
    else if (type === 'OpenParen' || type === 'OpenSquareBracket') end = bracketEnd(tokens, end);
    else return Math.min(end, tokens.length);
  }
}

const isBracket = (token: Token, side: 'Open' | 'Close') =>
  token.type.startsWith(side) && /(Paren|Bracket)$/.test(token.type);

function bracketEnd(tokens: readonly Token[], start: number): number {
  let depth = 0;
  for (let i = start; i < tokens.length; i++) {
    if (isBracket(tokens[i], 'Open')) depth++;
    if (isBracket(tokens[i], 'Close') && --depth === 0) return i + 1;
  }
  return tokens.length;
}

const operand = ['Identifier', 'StringLiteral', 'CloseParen', 'CloseSquareBracket', 'CloseCurlyBracket'];
const keywords = ['in', 'if', 'else', 'elif', 'and', 'or', 'not', 'is', 'set', 'for', 'call'];

/** Tuples of one element or none, where brackets do not hold arguments. */
function tuples(tokens: readonly Token[]): Token[] {
  const result: Token[] = [];
  const open: number[] = [];
  for (const token of tokens) {
    const before = result[result.length - 1];
    if (token.type === 'OpenParen') {
      const isCall = operand.includes(before?.type) && !isWord(before, ...keywords);
      open.push(isCall ? -1 : result.length);
    } else if (token.type === 'CloseParen') {
      const start = open.pop() ?? -1;
      const isShort = before?.type === 'Comma' || result.length - 1 === start;
      if (start >= 0 && isShort) result.splice(start, 0, id(callTuple));
    }
    result.push(token);
  }
  return result;
}
