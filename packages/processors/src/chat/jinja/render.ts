import { fail } from '../fail';
import { nested, spend } from '../limits';
import { length as codePoints } from '../python/characters';
import { print } from '../python/print';
import { isIterable, iterate, Namespace, truthy, typeName, type Value } from '../python/values';
import type { Block, CallStatement, Expression, For, SetStatement, Statement } from './ast';
import { applyFilter, call, evaluate, evaluateArguments } from './expressions';
import { loopContexts } from './loop';
import { macro } from './macro';
import { generationMark, withMark } from './marks';
import { Output } from './output';
import { Scope } from './scope';

export interface Rendering {
  readonly text: string;
  /** Where the marked blocks stand, `[start, end)` in UTF-16 units. */
  readonly generations: readonly (readonly [number, number])[];
}

/** How a loop goes on behind a statement. */
type Flow = 'break' | 'continue' | undefined;

/** Renders a template. @throws TemplateError where Python raises an error, or at a limit. */
export function renderBlock(block: Block, scope: Scope): Rendering {
  const renderer = new Renderer();
  renderer.block(block, scope, renderer.root);
  const text = renderer.root.toString();
  return { text, generations: renderer.marks.map(({ start, size }) => [start, advance(text, start, size)]) };
}

/** So many code points further. Of a mark within a macro, whose end is counted from another place. */
function advance(text: string, start: number, size: number): number {
  let at = start;
  for (let i = 0; i < size && at < text.length; i++) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  return at;
}

class Renderer {
  readonly root = new Output();
  readonly marks: { start: number; size: number }[] = [];

  block(block: Block, scope: Scope, output: Output): Flow {
    for (const node of block) {
      spend();
      const flow = this.#statement(node, scope, output);
      if (flow) return flow;
    }
    return undefined;
  }

  /** A block on its own, whose assignments are forgotten. */
  #captured = (block: Block, scope: Scope): string => {
    const output = new Output();
    if (this.block(block, scope, output)) fail('syntax', 'break and continue belong into the loop itself');
    return output.toString();
  };

  #statement(node: Statement | Expression, scope: Scope, output: Output): Flow {
    switch (node.type) {
      case 'If':
        return this.block(truthy(evaluate(node.test, scope)) ? node.body : node.alternate, scope, output);
      case 'For':
        return this.#for(node, scope, output);
      case 'Set':
        return this.#set(node, scope);
      case 'Macro':
        scope.set(node.name.value, macro(node.name.value, node.args, node.body, scope, this.#captured));
        return undefined;
      case 'CallStatement':
        output.write(this.#call(node, scope));
        return undefined;
      case 'FilterStatement':
        output.write(print(applyFilter(node.filter, this.#captured(node.body, new Scope(scope)), scope)));
        return undefined;
      case 'Break':
        return 'break';
      case 'Continue':
        return 'continue';
      case 'Comment':
        return undefined;
    }
    output.write(print(evaluate(node, scope)));
    return undefined;
  }

  #for(node: For, scope: Scope, output: Output): Flow {
    const items = this.#items(node, scope);
    if (items.length === 0) return this.block(node.defaultBlock, new Scope(scope), output);
    const context = loopContexts(items);
    for (const [i, item] of items.entries()) {
      const inner = new Scope(scope);
      inner.set('loop', context(i));
      assign(node.loopvar, item, inner);
      if (this.block(node.body, inner, output) === 'break') break;
    }
    return undefined;
  }

  /** What the loop goes through: all of it, or what fulfils its condition. */
  #items({ iterable, loopvar }: For, scope: Scope): Value[] {
    if (iterable.type !== 'SelectExpression') return [...iterate(evaluate(iterable, scope))];
    const { lhs, test } = iterable;
    return [...iterate(evaluate(lhs, scope))].filter((item) => {
      const inner = new Scope(scope);
      assign(loopvar, item, inner);
      return truthy(evaluate(test, inner));
    });
  }

  #set({ assignee, value, body }: SetStatement, scope: Scope): undefined {
    if (value) return assign(assignee, evaluate(value, scope), scope);
    const text = this.#captured(body, new Scope(scope));
    return assignText(assignee, text, scope);
  }

  #call({ call: { callee, args }, callerArgs, body }: CallStatement, scope: Scope): string {
    const name = (callee as { value?: unknown }).value;
    if (name === generationMark) return this.#generation(body, scope);
    const given = evaluateArguments(args, scope);
    if (name === withMark) {
      const inner = new Scope(scope);
      for (const [key, value] of given.named) inner.set(key, value);
      return this.#captured(body, inner);
    }
    const caller = macro('caller', callerArgs ?? [], body, scope, this.#captured);
    const named = new Map(given.named).set('caller', caller);
    return print(call(evaluate(callee, scope), { positional: given.positional, named }));
  }

  /** Marks begin where the text of the template itself ends so far, not that of a macro. */
  #generation(body: Block, scope: Scope): string {
    const text = nested(() => this.#captured(body, new Scope(scope)));
    this.marks.push({ start: this.root.length, size: codePoints(text) });
    return text;
  }
}

/** `set x`, `set ns.x` and `set a, b`. */
function assign(target: Expression, value: Value, scope: Scope): undefined {
  switch (target.type) {
    case 'Identifier':
      scope.set(target.value, value);
      return;
    case 'TupleLiteral':
      return unpack(target.value, value, scope);
    case 'MemberExpression': {
      const holder = evaluate(target.object, scope);
      if (!(holder instanceof Namespace))
        return fail('value', 'cannot assign attribute on non-namespace object');
      if (target.computed) return fail('syntax', 'cannot assign to an element');
      holder.attributes.set((target.property as { value: string }).value, value);
      return;
    }
  }
  return fail('syntax', `cannot assign to ${target.type}`);
}

function unpack(targets: readonly Expression[], value: Value, scope: Scope): undefined {
  if (!isIterable(value)) fail('type', `cannot unpack non-iterable ${typeName(value)} object`);
  const items = [...iterate(value)];
  if (items.length !== targets.length) {
    const many = items.length > targets.length ? 'too many values' : 'not enough values';
    fail('value', `${many} to unpack (expected ${targets.length})`);
  }
  targets.forEach((target, i) => {
    assign(target, items[i], scope);
  });
}

/** `set x | upper` filters its block. */
function assignText(target: Expression, text: string, scope: Scope): undefined {
  const filters = [];
  let name = target;
  for (; name.type === 'FilterExpression'; name = name.operand) filters.unshift(name.filter);
  return assign(
    name,
    filters.reduce<Value>((value, filter) => applyFilter(filter, value, scope), text),
    scope,
  );
}
