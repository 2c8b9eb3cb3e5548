import { parse } from '@huggingface/jinja';
import { TemplateError } from '@mmllm/core';
import { fail } from '../fail';
import { maxTemplateText } from '../limits';
import { type Token, tokenize } from './lexer';
import { rewrite } from './rewrite';

export interface Identifier {
  readonly type: 'Identifier';
  readonly value: string;
}

export interface CallExpression {
  readonly type: 'CallExpression';
  readonly callee: Expression;
  readonly args: readonly Argument[];
}

export interface KeywordArgument {
  readonly type: 'KeywordArgumentExpression';
  readonly key: Identifier;
  readonly value: Expression;
}

export type Argument =
  | Expression
  | KeywordArgument
  | { readonly type: 'SpreadExpression' | 'KeywordSpreadExpression'; readonly argument: Expression };

export interface BinaryExpression {
  readonly type: 'BinaryExpression';
  readonly operator: Token;
  readonly left: Expression;
  readonly right: Expression;
}

export interface MemberExpression {
  readonly type: 'MemberExpression';
  readonly object: Expression;
  readonly property: Expression | SliceExpression;
  readonly computed: boolean;
}

export interface SliceExpression {
  readonly type: 'SliceExpression';
  readonly start?: Expression;
  readonly stop?: Expression;
  readonly step?: Expression;
}

export type Filter = Identifier | CallExpression;

export interface FilterExpression {
  readonly type: 'FilterExpression';
  readonly operand: Expression;
  readonly filter: Filter;
}

/** `a if b`, and a loop over the elements that fulfil a condition. */
export interface SelectExpression {
  readonly type: 'SelectExpression';
  readonly lhs: Expression;
  readonly test: Expression;
}

/** Also the text between tags. */
interface Literal {
  readonly type: 'StringLiteral';
  readonly value: string;
}

export type Expression =
  | Identifier
  | Literal
  | { readonly type: 'IntegerLiteral' | 'FloatLiteral'; readonly value: number }
  | { readonly type: 'ArrayLiteral' | 'TupleLiteral'; readonly value: readonly Expression[] }
  | { readonly type: 'ObjectLiteral'; readonly value: ReadonlyMap<Expression, Expression> }
  | CallExpression
  | BinaryExpression
  | MemberExpression
  | FilterExpression
  | SelectExpression
  | { readonly type: 'UnaryExpression'; readonly operator: Token; readonly argument: Expression }
  | {
      readonly type: 'Ternary';
      readonly condition: Expression;
      readonly trueExpr: Expression;
      readonly falseExpr: Expression;
    };

export interface For {
  readonly type: 'For';
  readonly loopvar: Expression;
  readonly iterable: Expression;
  readonly body: Block;
  readonly defaultBlock: Block;
}

export interface SetStatement {
  readonly type: 'Set';
  readonly assignee: Expression;
  readonly value: Expression | null;
  readonly body: Block;
}

export type Parameter = Identifier | KeywordArgument;

export interface Macro {
  readonly type: 'Macro';
  readonly name: Identifier;
  readonly args: readonly Parameter[];
  readonly body: Block;
}

export interface CallStatement {
  readonly type: 'CallStatement';
  readonly call: CallExpression;
  readonly callerArgs: readonly Parameter[] | null;
  readonly body: Block;
}

export type Statement =
  | For
  | SetStatement
  | Macro
  | CallStatement
  | { readonly type: 'If'; readonly test: Expression; readonly body: Block; readonly alternate: Block }
  | { readonly type: 'FilterStatement'; readonly filter: Filter; readonly body: Block }
  | { readonly type: 'Break' | 'Continue' | 'Comment' };

export type Block = readonly (Statement | Expression)[];

/**
 * The syntax tree of a template, from the parser of @huggingface/jinja.
 * @throws TemplateError for a text that is no template.
 */
export function parseTemplate(source: string): Block {
  if (source.length > maxTemplateText) fail('limit', `a template of more than ${maxTemplateText} characters`);
  try {
    const tokens = rewrite(tokenize(source)) as Parameters<typeof parse>[0];
    return parse(tokens).body as unknown as Block;
  } catch (error) {
    if (TemplateError.isInstance(error)) throw error;
    // The parser runs into the end of its tokens, and the stack into the end of its own.
    const reason =
      error instanceof SyntaxError ? error.message : 'unexpected end of a tag or of the template';
    return fail(error instanceof RangeError ? 'limit' : 'syntax', reason, error);
  }
}
