import { turnRows, type WeightPiece } from '@mmllm/core';

/** How the file arranges the values of a parameter, when not as we do. */
export type RuleLayout =
  | ({ readonly layout?: undefined } & InterleavedRows)
  /** PyTorch's linear layer: `[out, in]` in the file, `[in, out]` with us. */
  | ({ readonly layout: 'linear' } & InterleavedRows)
  /**
   * A convolution whose stride is its kernel, which is a linear layer on flattened patches: `[out, in, ...kernel]` in
   * the file, `[kernel * in, out]` with us. Our rows are ordered (row, column, channel), as the values of a patch
   * lie in an image `[height, width, channel]`. Any number of kernel axes.
   */
  | { readonly layout: 'conv-linear'; readonly kernel: readonly number[] }
  /** So many axes of size 1 in front in the file, none with us: `[1, 1, D]` is our `[D]` for a count of 2. */
  | { readonly layout: 'leading-ones'; readonly count: number };

/**
 * Of projections to queries and keys whose rotation turns neighbours, as in GGUF files and Meta's own, and not the two
 * halves of a head: the file's rows 2i and 2i + 1 of a head of size D are our i and i + D / 2.
 */
interface InterleavedRows {
  /** How many heads the rows form. */
  readonly interleavedHeads?: number;
}

/** How many values each row along the first axis has. */
export const sizeOfRow = ([, ...row]: readonly number[]): number => product(row);

const product = (sizes: readonly number[]): number => sizes.reduce((total, size) => total * size, 1);

/** The shape we give to a file tensor of shape `theirs`; undefined if the layout does not take it. */
export function shapeToOurs(rule: RuleLayout, theirs: readonly number[]): number[] | undefined {
  if (!hasWholePairs(rule, theirs)) return undefined;
  switch (rule.layout) {
    case undefined:
      return [...theirs];
    case 'linear':
      return theirs.length === 2 ? [theirs[1]!, theirs[0]!] : undefined;
    case 'conv-linear': {
      const [outputs, channels, ...kernel] = theirs;
      if (outputs === undefined || channels === undefined || !sameShape(kernel, rule.kernel))
        return undefined;
      return [product(kernel) * channels, outputs];
    }
    case 'leading-ones': {
      const ones = theirs.slice(0, rule.count);
      return ones.length === rule.count && ones.every((size) => size === 1)
        ? theirs.slice(rule.count)
        : undefined;
    }
  }
}

/** The shape a file gives to our parameter of shape `ours`; undefined if the layout does not take it. */
export function shapeToTheirs(rule: RuleLayout, ours: readonly number[]): number[] | undefined {
  if (!hasWholePairs(rule, rule.layout === 'linear' ? [...ours].reverse() : ours)) return undefined;
  switch (rule.layout) {
    case undefined:
      return [...ours];
    case 'linear':
      return ours.length === 2 ? [ours[1]!, ours[0]!] : undefined;
    case 'conv-linear': {
      const [inputs, outputs] = ours;
      const channels = (inputs ?? Number.NaN) / product(rule.kernel);
      if (ours.length !== 2 || !Number.isInteger(channels)) return undefined;
      return [outputs!, channels, ...rule.kernel];
    }
    case 'leading-ones':
      return [...new Array<number>(rule.count).fill(1), ...ours];
  }
}

/** Rows of one head of the file, which lie in pairs there; undefined where they do not. */
export function interleavedRows(rule: RuleLayout, theirs: readonly number[]): number | undefined {
  const heads = 'interleavedHeads' in rule ? rule.interleavedHeads : undefined;
  return heads === undefined ? undefined : (theirs[0] ?? 0) / heads;
}

const hasWholePairs = (rule: RuleLayout, theirs: readonly number[]): boolean =>
  (interleavedRows(rule, theirs) ?? 0) % 2 === 0;

/** Whether the rows of the file are our columns. */
export const isTurned = (rule: RuleLayout): boolean =>
  rule.layout === 'linear' || rule.layout === 'conv-linear';

/**
 * Rearranges whole rows of a file tensor, along its first axis of shape `theirs`, each within itself, or within its head
 * where `interleavedRows` says so: then they are whole heads. What is left is to turn them where `isTurned` says so. The result may
 * be `rows` itself.
 */
export function rowsToOurs<T extends WeightPiece['values']>(
  rule: RuleLayout,
  rows: T,
  theirs: readonly number[],
): T {
  const headRows = interleavedRows(rule, theirs);
  if (headRows !== undefined) return moveRows(rows, sizeOfRow(theirs), headRows, 'apart');
  if (rule.layout !== 'conv-linear') return rows;
  const [, channels = 1] = theirs;
  const cells = product(rule.kernel);
  // [channel, cell] to [cell, channel]
  const channelsLast = rows.slice() as T;
  for (let start = 0; start < rows.length; start += channels * cells) {
    const [row, into] = [rows, channelsLast].map((all) => all.subarray(start, start + channels * cells) as T);
    turnRows(row!, cells, { into: into!, height: channels });
  }
  return channelsLast;
}

/** Rearranges our values into the file's shape `theirs`. The result may be `values` itself. */
export function valuesToTheirs(
  rule: RuleLayout,
  values: Float32Array,
  theirs: readonly number[],
): Float32Array {
  const [outputs = 1, inputs = 1] = theirs;
  if (rule.layout !== 'conv-linear') {
    const rows = rule.layout === 'linear' ? transpose(values, inputs, outputs) : values;
    const headRows = interleavedRows(rule, theirs);
    return headRows === undefined ? rows : moveRows(rows, sizeOfRow(theirs), headRows, 'together');
  }
  const cells = product(rule.kernel);
  const result = transpose(values, cells * inputs, outputs);
  for (let output = 0; output < outputs; output++) {
    const block = result.subarray(output * inputs * cells, (output + 1) * inputs * cells);
    block.set(transpose(block, cells, inputs));
  }
  return result;
}

/** Moves the rows that turn together, of each head, to its two halves (`apart`) or beside each other. */
function moveRows<T extends WeightPiece['values']>(
  values: T,
  width: number,
  headRows: number,
  where: 'apart' | 'together',
): T {
  const result = values.slice() as T;
  const pairs = headRows / 2;
  for (let row = 0; row < values.length / width; row++) {
    const half = Math.floor(row / pairs);
    const neighbour = headRows * (half >> 1) + 2 * (row % pairs) + (half & 1);
    const [from, to] = where === 'apart' ? [neighbour, row] : [row, neighbour];
    result.set(values.subarray(from * width, (from + 1) * width), to * width);
  }
  return result;
}

/** `[rows, columns]` to `[columns, rows]`. */
export function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  turnRows(values, columns, { into: result, height: rows });
  return result;
}

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);
