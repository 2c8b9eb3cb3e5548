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

const product = (sizes: readonly number[]): number => sizes.reduce((total, size) => total * size, 1);

/** The shape we give to a file tensor of shape `theirs`; undefined if the layout does not take it. */
export function shapeToOurs(rule: RuleLayout, theirs: readonly number[]): number[] | undefined {
  if (!hasWholePairs(rule, theirs[0])) return undefined;
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
  if (!hasWholePairs(rule, ours[rule.layout === 'linear' ? 1 : 0])) return undefined;
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

const headsOf = (rule: RuleLayout): number | undefined =>
  'interleavedHeads' in rule ? rule.interleavedHeads : undefined;

function hasWholePairs(rule: RuleLayout, rows = 0): boolean {
  const heads = headsOf(rule);
  return heads === undefined || rows % (2 * heads) === 0;
}

/** Rearranges file values of shape `theirs` into ours. The result may be `values` itself. */
export function valuesToOurs(
  rule: RuleLayout,
  values: Float32Array,
  theirs: readonly number[],
): Float32Array {
  const [outputs = 1, inputs = 1] = theirs;
  const heads = headsOf(rule);
  const ordered = heads === undefined ? values : moveRows(values, outputs, heads, 'apart');
  if (rule.layout === 'linear') return transpose(ordered, outputs, inputs);
  if (rule.layout !== 'conv-linear') return ordered;
  const cells = product(rule.kernel);
  // [out, in, cell] to [out, cell, in] to [(cell, in), out]
  const channelsLast = new Float32Array(values.length);
  for (let output = 0; output < outputs; output++) {
    const start = output * inputs * cells;
    const block = values.subarray(start, start + inputs * cells);
    channelsLast.set(transpose(block, inputs, cells), start);
  }
  return transpose(channelsLast, outputs, cells * inputs);
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
    const heads = headsOf(rule);
    return heads === undefined ? rows : moveRows(rows, outputs, heads, 'together');
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
function moveRows(
  values: Float32Array,
  rows: number,
  heads: number,
  where: 'apart' | 'together',
): Float32Array {
  const result = new Float32Array(values.length);
  const width = values.length / rows;
  const pairs = rows / heads / 2;
  for (let row = 0; row < rows; row++) {
    const half = Math.floor(row / pairs);
    const neighbour = 2 * pairs * (half >> 1) + 2 * (row % pairs) + (half & 1);
    const [from, to] = where === 'apart' ? [neighbour, row] : [row, neighbour];
    result.set(values.subarray(from * width, (from + 1) * width), to * width);
  }
  return result;
}

/** Side of the square blocks that are transposed at a time, so that reads and writes both stay in the cache. */
const BLOCK = 32;

/** `[rows, columns]` to `[columns, rows]`. */
export function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let top = 0; top < rows; top += BLOCK) {
    const bottom = Math.min(top + BLOCK, rows);
    for (let left = 0; left < columns; left += BLOCK) {
      const right = Math.min(left + BLOCK, columns);
      for (let row = top; row < bottom; row++) {
        for (let column = left; column < right; column++) {
          result[column * rows + row] = values[row * columns + column]!;
        }
      }
    }
  }
  return result;
}

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);
