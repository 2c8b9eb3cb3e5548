import type { NameRule } from './name-map';

interface Sharer {
  readonly path: string;
  readonly rule: NameRule;
}

/**
 * What is wrong with how parameters share a tensor of `size` rows; undefined if each row belongs to exactly one of them.
 */
export function findGap(size: number, sharers: readonly Sharer[]): string | undefined {
  if (sharers.length === 1 && !sharers[0]!.rule.rows) return undefined;
  const whole = sharers.find(({ rule }) => !rule.rows);
  if (whole) return `${whole.path} takes it whole, beside ${sharers.find((s) => s !== whole)!.path}`;
  let position = 0;
  for (const { path, rule } of [...sharers].sort((a, b) => a.rule.rows![0] - b.rule.rows![0])) {
    const [start, end] = rule.rows!;
    if (start !== position)
      return `row ${Math.min(start, position)} ${start < position ? 'twice' : 'unused'}, near ${path}`;
    position = end;
  }
  return position === size
    ? undefined
    : `row ${Math.min(position, size)} of ${size} ${position < size ? 'unused' : 'lacking'}`;
}

/** The shape of the rows that the rule takes. Too few rows show as a shape that fits nothing. */
export function cutShape(shape: readonly number[], { rows }: NameRule): readonly number[] {
  if (!rows) return shape;
  const [start, end] = rows;
  const [size = 0, ...rest] = shape;
  return [Math.max(Math.min(end, size) - start, 0), ...rest];
}
