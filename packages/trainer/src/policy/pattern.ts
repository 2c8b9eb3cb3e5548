import { FreezePolicyError } from '@mmllm/core';

const pieces = /\*\*\.|\*\*|\*|[{},]|[^*{},]+/g;

/**
 * A test for parameter paths. A pattern names a parameter or everything below it: `decoder` holds for
 * `decoder.norm.weight`. `*` stands for any text within one name, `**` for any number of names, `{a,b}` for one of
 * several: `decoder.**.{qProj,vProj}`.
 *
 * @throws FreezePolicyError for an empty pattern or unpaired braces.
 */
export function compilePattern(pattern: string): (path: string) => boolean {
  const refuse = () =>
    new FreezePolicyError({
      component: 'policy',
      expected: "a parameter path or a pattern such as 'decoder.**.{qProj,vProj}'",
      actual: `'${pattern}'`,
    });
  let depth = 0;
  let source = '';
  for (const [piece] of pattern.matchAll(pieces)) {
    if (piece === '**.') source += '(?:[^.]+\\.)*';
    else if (piece === '**') source += '.*';
    else if (piece === '*') source += '[^.]*';
    else if (piece === ',' && depth > 0) source += '|';
    else if (piece === '{') {
      source += '(?:';
      depth++;
    } else if (piece === '}') {
      if (depth === 0) throw refuse();
      source += ')';
      depth--;
    } else source += piece.replace(/[.+?^$()[\]\\|]/g, '\\$&');
  }
  if (source === '' || depth > 0) throw refuse();
  const expression = new RegExp(`^(?:${source})(?:\\..*)?$`);
  return (path) => expression.test(path);
}
