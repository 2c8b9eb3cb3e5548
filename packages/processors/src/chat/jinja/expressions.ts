import { fail } from '../fail';
import { joinTexts, spend } from '../limits';
import { calculate, type Operator, signed } from '../python/arithmetic';
import { getAttribute, getItem } from '../python/attributes';
import { contains, equal, type Order, ordered } from '../python/compare';
import { print } from '../python/print';
import { slice } from '../python/sequence';
import {
  type Arguments,
  Callable,
  Dict,
  failIfUndefined,
  iterate,
  Tuple,
  truthy,
  typeName,
  Undefined,
  type Value,
} from '../python/values';
import type { Argument, BinaryExpression, CallExpression, Expression, Filter, MemberExpression } from './ast';
import { filters } from './filters';
import { callTuple } from './marks';
import type { Scope } from './scope';
import { tests } from './tests';

const constants = new Map<string, Value>([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
]);

/** The value of an expression. @throws TemplateError where Python raises an error. */
export function evaluate(node: Expression, scope: Scope): Value {
  spend();
  switch (node.type) {
    case 'Identifier':
      return named(node.value, scope);
    case 'StringLiteral':
    case 'FloatLiteral':
      return node.value as string | number;
    case 'IntegerLiteral':
      return BigInt(node.value as number);
    case 'ArrayLiteral':
      return node.value.map((item) => evaluate(item, scope));
    case 'TupleLiteral':
      return new Tuple(node.value.map((item) => evaluate(item, scope)));
    case 'ObjectLiteral':
      return new Dict([...node.value].map(([key, value]) => [evaluate(key, scope), evaluate(value, scope)]));
    case 'CallExpression':
      return evaluateCall(node, scope);
    case 'MemberExpression':
      return member(node, scope);
    case 'FilterExpression':
      return applyFilter(node.filter, evaluate(node.operand, scope), scope);
    case 'BinaryExpression':
      return binary(node, scope);
    case 'UnaryExpression':
      return unary(node.operator.value, evaluate(node.argument, scope));
    case 'SelectExpression':
      return truthy(evaluate(node.test, scope)) ? evaluate(node.lhs, scope) : missingElse();
    case 'Ternary':
      return evaluate(truthy(evaluate(node.condition, scope)) ? node.trueExpr : node.falseExpr, scope);
  }
  return fail('syntax', `an expression cannot hold ${(node as { type: string }).type}`);
}

function named(name: string, scope: Scope): Value {
  const constant = constants.get(name);
  if (constant !== undefined) return constant;
  return /^\d/.test(name) ? BigInt(name) : scope.get(name);
}

const missingElse = () =>
  new Undefined('the inline if-expression evaluated to false and no else section was defined.');

function unary(operator: string, value: Value): Value {
  return operator === 'not' ? !truthy(value) : signed(operator as '+' | '-', value);
}

function member({ object, property, computed }: MemberExpression, scope: Scope): Value {
  const value = evaluate(object, scope);
  if (property.type === 'SliceExpression') {
    const [start, stop, step] = [property.start, property.stop, property.step].map((bound) =>
      bound ? evaluate(bound, scope) : null,
    );
    return slice(value, start, stop, step);
  }
  if (computed || property.type === 'IntegerLiteral') return getItem(value, evaluate(property, scope));
  return getAttribute(value, (property as { value: string }).value);
}

function evaluateCall({ callee, args }: CallExpression, scope: Scope): Value {
  if (callee.type === 'Identifier' && callee.value === callTuple) {
    return new Tuple(evaluateArguments(args, scope).positional);
  }
  return call(evaluate(callee, scope), evaluateArguments(args, scope));
}

/** @throws TemplateError for what is no function. */
export function call(callee: Value, args: Arguments): Value {
  if (callee instanceof Callable) return callee.call(args);
  failIfUndefined(callee);
  return fail('type', `'${typeName(callee)}' object is not callable`);
}

export function evaluateArguments(args: readonly Argument[], scope: Scope): Arguments {
  const positional: Value[] = [];
  const named = new Map<string, Value>();
  const name = (key: Value, value: Value) => {
    if (typeof key !== 'string') return fail('type', 'keywords must be strings');
    if (named.has(key)) fail('type', `got multiple values for keyword argument '${key}'`);
    named.set(key, value);
  };
  for (const arg of args) {
    if (arg.type === 'KeywordArgumentExpression') name(arg.key.value, evaluate(arg.value, scope));
    else if (arg.type === 'SpreadExpression') {
      for (const item of iterate(evaluate(arg.argument, scope))) positional.push(item);
    } else if (arg.type === 'KeywordSpreadExpression') {
      const value = evaluate(arg.argument, scope);
      if (!(value instanceof Dict)) return fail('type', 'the argument after ** must be a mapping');
      for (const [key, item] of value.entries()) name(key, item);
    } else positional.push(evaluate(arg as Expression, scope));
  }
  return { positional, named };
}

/** Tests were made filters for the parser, `is not string`. */
const testName = /^is (not )?(.*)$/;

export function applyFilter(node: Filter, value: Value, scope: Scope): Value {
  const name = (node.type === 'Identifier' ? node : (node.callee as { value?: unknown })).value;
  const args = node.type === 'Identifier' ? [] : node.args;
  if (typeof name !== 'string') return fail('syntax', 'the filter has no name');
  const test = testName.exec(name);
  const given = evaluateArguments(args, scope);
  if (test) return tests.run(test[2], value, given) !== Boolean(test[1]);
  return filters.run(name, value, given);
}

function binary(node: BinaryExpression, scope: Scope): Value {
  const { operator, left, right } = node;
  switch (operator.value) {
    case 'and': {
      const value = evaluate(left, scope);
      return truthy(value) ? evaluate(right, scope) : value;
    }
    case 'or': {
      const value = evaluate(left, scope);
      return truthy(value) ? value : evaluate(right, scope);
    }
  }
  if (isComparison(node)) return comparison(node, scope);
  return operator.type === 'AdditiveBinaryOperator'
    ? sum(chain(node, isSum), scope)
    : calculate(evaluate(left, scope), operator.value as Operator, evaluate(right, scope));
}

const isComparison = ({ operator }: BinaryExpression) =>
  operator.value === 'in' || operator.type === 'ComparisonBinaryOperator';
const isSum = ({ operator }: BinaryExpression) => operator.type === 'AdditiveBinaryOperator';

interface Chain {
  readonly first: Expression;
  readonly rest: readonly { readonly operator: BinaryExpression['operator']; readonly operand: Expression }[];
}

/** What stands in a row without brackets, which the parser has grouped from the left. */
function chain(node: BinaryExpression, belongs: (node: BinaryExpression) => boolean): Chain {
  const rest = [];
  let first: Expression = node;
  while (
    first.type === 'BinaryExpression' &&
    belongs(first) &&
    first.operator.group === node.operator.group
  ) {
    rest.unshift({ operator: first.operator, operand: first.right });
    first = first.left;
  }
  return { first, rest };
}

/** `a < b < c` is `a < b and b < c`. */
function comparison(node: BinaryExpression, scope: Scope): boolean {
  const { first, rest } = chain(node, isComparison);
  let left = evaluate(first, scope);
  return rest.every(({ operator, operand }) => {
    const right = evaluate(operand, scope);
    const holds = compare(left, operator, right);
    left = right;
    return holds;
  });
}

function compare(left: Value, { value, negated }: BinaryExpression['operator'], right: Value): boolean {
  switch (value) {
    case '==':
      return equal(left, right);
    case '!=':
      return !equal(left, right);
    case 'in':
      return contains(right, left) !== Boolean(negated);
  }
  return ordered(left, value as Order, right);
}

/** `~` binds tighter than `+` and `-`, and what it joins is joined as text at once. */
function sum({ first, rest }: Chain, scope: Scope): Value {
  let total: Value | undefined;
  let operator: Operator = '+';
  let group: Value[] = [evaluate(first, scope)];
  const add = () => {
    const value = group.length === 1 ? group[0] : joinTexts(group.map(print));
    total = total === undefined ? value : calculate(total, operator, value);
  };
  for (const next of rest) {
    if (next.operator.value === '~') {
      group.push(evaluate(next.operand, scope));
    } else {
      add();
      operator = next.operator.value as Operator;
      group = [evaluate(next.operand, scope)];
    }
  }
  add();
  return total!;
}
