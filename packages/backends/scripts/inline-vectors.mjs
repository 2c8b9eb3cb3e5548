/**
 * A transform of the AssemblyScript compiler: functions that give a vector are compiled into their callers. Engines do
 * not inline WebAssembly functions of this size, and a call for every four floats takes as long as an exponential.
 * It stands for AssemblyScript's `@inline`, which is no TypeScript in front of a function.
 */
import { Node, NodeKind } from 'assemblyscript';
import { Transform } from 'assemblyscript/transform';

export default class InlineVectors extends Transform {
  afterParse({ sources }) {
    for (const statement of sources.flatMap((source) => (isOurs(source) ? source.statements : []))) {
      if (statement.kind !== NodeKind.FunctionDeclaration || !givesVector(statement)) continue;
      const name = Node.createIdentifierExpression('inline', statement.range);
      statement.decorators = [Node.createDecorator(name, null, statement.range)];
    }
  }
}

const isOurs = ({ normalizedPath }) => normalizedPath.startsWith('assembly/');

const givesVector = ({ signature: { returnType } }) => returnType.name?.identifier.text === 'v128';
