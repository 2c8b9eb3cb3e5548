import type { Tiling } from './attention-tiling';
import { packedQuadReader } from './packed-rows';

export interface AttentionText {
  readonly tiling: Tiling;
  readonly headSize: number;
  /** The functions of `ruleCode`. */
  readonly rule: string;
  /** Whether k and v are packed rows in 8 bits. Default false. */
  readonly packed?: boolean;
}

/** The tensors of heads, and whether their items are rows of queries or keys. */
const SIDES = { q: 'queries', dy: 'queries', k: 'keys', v: 'keys' } as const;

type Heads = keyof typeof SIDES;

/** Whether heads are read four floats at a time. */
export const readsQuads = (headSize: number): boolean => headSize % 4 === 0;

/**
 * WGSL of the forward pass, with softmax kept up to date from tile to tile (Dao et al., arXiv:2205.14135). The result
 * is the output, followed by the log-sum-exp of every row from `uniforms.normsAt` on.
 */
export const attentionCode = (text: AttentionText): string => `
  ${shared(text, ['q', 'k', 'v'])}
  var<workgroup> own : array<vec4<f32>, ROWS * QUADS>;
  var<workgroup> largestOfLane : array<f32, LANES>;
  // Far below any score, and far above what is hidden; finite, so that differences are numbers.
  const LOWEST = -1e30;
  const HIDDEN = -3e38;

  ${mainOf('queries')}
    ${loadOwn('own', 'q')}
    ${range('queries')}
    var largest = LOWEST;
    var total = 0.0;
    var sums : array<vec4<f32>, ${ownQuads(text.tiling)}>;
    for (var first = range.x; first < range.y; first += COLUMNS) {
      ${loadOther('k')}
      workgroupBarrier();
      ${products('scores', 'own')}
      var most = LOWEST;
      for (var j = 0; j < EACH; j++) {
        scores[j] = scoreOf(batch, keyHead, item, first + part + j * PER_ROW, range.y, scores[j]);
        most = max(most, scores[j]);
      }
      largestOfLane[lane] = most;
      workgroupBarrier();
      ${loadOther('v')}
      var newLargest = largest;
      for (var i = 0; i < PER_ROW; i++) {
        newLargest = max(newLargest, largestOfLane[laneRow * PER_ROW + i]);
      }
      for (var j = 0; j < EACH; j++) {
        weights[laneRow * COLUMNS + part + j * PER_ROW] =
          select(exp(scores[j] - newLargest), 0.0, scores[j] == HIDDEN);
      }
      let fade = exp(largest - newLargest);
      largest = newLargest;
      total *= fade;
      for (var j = 0; j < ${ownQuads(text.tiling)}; j++) { sums[j] *= fade; }
      workgroupBarrier();
      for (var column = 0; column < COLUMNS; column++) { total += weights[laneRow * COLUMNS + column]; }
      ${addWeighted(text)}
      workgroupBarrier();
    }
    if (!isItem) { return; }
    // The largest weight is one, so the total is zero only where nothing is seen.
    let isBlind = total == 0.0;
    ${writeSums(text, 'queries', 'select(sums[j] / total, vec4<f32>(0.0), isBlind)')}
    if (part == 0) {
      result[uniforms.normsAt + rowAt(batch, keyHead, item)] = select(largest + log(total), 0.0, isBlind);
    }
  }

  fn scoreOf(batch : i32, keyHead : i32, row : i32, key : i32, end : i32, product : f32) -> f32 {
    let query = row / uniforms.group;
    let head = keyHead * uniforms.group + row % uniforms.group;
    if (query >= uniforms.queries || key >= end || !sees(batch, head, query, key)) { return HIDDEN; }
    return uniforms.scale * product + biasOf(batch, head, query, key);
  }`;

/** The gradients, by which tensors meet in the weights, which in the gradients of the weights, and what is added up. */
const GRADIENTS = {
  q: { score: ['q', 'k'], slope: ['dy', 'v'], sum: 'k' },
  k: { score: ['k', 'q'], slope: ['v', 'dy'], sum: 'q' },
  v: { score: ['k', 'q'], slope: undefined, sum: 'dy' },
} as const;

export type GradientOf = keyof typeof GRADIENTS;

/** The tensors of heads that a gradient reads. */
export const headsOf = (gradient: GradientOf): Heads[] => {
  const { score, slope = [], sum } = GRADIENTS[gradient];
  return [...new Set<Heads>([...score, ...slope, sum])];
};

/** How many tensors of its own items a workgroup keeps. */
export const ownTilesOf = (gradient: GradientOf): number => (GRADIENTS[gradient].slope ? 2 : 1);

/** Whose items a workgroup owns. */
export const sideOf = (gradient: GradientOf): 'queries' | 'keys' => SIDES[gradient];

/**
 * WGSL of a gradient: the weights P are computed again from the log-sum-exp, then `dV = Pᵀ·dO`, or with
 * `dS = P ∘ (dO·Vᵀ − D)` and `D = Σ dO ∘ O` of each row, `dQ = scale · dS·K` and `dK = scale · dSᵀ·Q`
 * (Dao et al., arXiv:2205.14135, appendix B). `stats` has the log-sum-exp and D of each row.
 */
export function attentionGradCode(text: AttentionText, gradient: GradientOf): string {
  const { score, slope, sum } = GRADIENTS[gradient];
  const side = sideOf(gradient);
  const [row, key] = side === 'queries' ? ['item', 'other'] : ['other', 'item'];
  const factor = slope ? `* (slopes[j] - stats[2 * rowAt(batch, keyHead, ${row}) + 1])` : '';
  return `
  ${shared(text, headsOf(gradient))}
  var<workgroup> own : array<vec4<f32>, ROWS * QUADS>;
  ${slope ? 'var<workgroup> ownOfSlope : array<vec4<f32>, ROWS * QUADS>;' : ''}

  ${mainOf(side)}
    ${loadOwn('own', score[0])}
    ${slope ? loadOwn('ownOfSlope', slope[0]) : ''}
    ${range(side)}
    var sums : array<vec4<f32>, ${ownQuads(text.tiling)}>;
    for (var first = range.x; first < range.y; first += COLUMNS) {
      ${
        slope
          ? `
      ${loadOther(slope[1])}
      workgroupBarrier();
      ${products('slopes', 'ownOfSlope')}
      workgroupBarrier();`
          : ''
      }
      ${loadOther(score[1])}
      workgroupBarrier();
      ${products('scores', 'own')}
      for (var j = 0; j < EACH; j++) {
        let other = first + part + j * PER_ROW;
        var weight = 0.0;
        if (isItem && other < range.y) {
          weight = weightOf(batch, keyHead, ${row}, ${key}, scores[j]);
          if (weight != 0.0) { weight = weight ${factor}; }
        }
        weights[laneRow * COLUMNS + part + j * PER_ROW] = weight;
      }
      workgroupBarrier();
      ${sum === score[1] ? '' : `${loadOther(sum)}\n      workgroupBarrier();`}
      ${addWeighted(text)}
      workgroupBarrier();
    }
    if (!isItem) { return; }
    ${writeSums(text, side, slope ? 'uniforms.scale * sums[j]' : 'sums[j]')}
  }

  fn weightOf(batch : i32, keyHead : i32, row : i32, key : i32, product : f32) -> f32 {
    let query = row / uniforms.group;
    let head = keyHead * uniforms.group + row % uniforms.group;
    if (!sees(batch, head, query, key)) { return 0.0; }
    let score = uniforms.scale * product + biasOf(batch, head, query, key);
    return exp(score - stats[2 * rowAt(batch, keyHead, row)]);
  }`;
}

/** Where heads begin, of keys as if they were not packed. Queries of the heads that read one key head stand together. */
const placesCode = (headSize: number): string => `
  const HEAD_SIZE = ${headSize};

  fn queriesAt(batch : i32, keyHead : i32, row : i32) -> i32 {
    let head = keyHead * uniforms.group + row % uniforms.group;
    let heads = uniforms.keyHeads * uniforms.group;
    return ((batch * uniforms.queries + row / uniforms.group) * heads + head) * HEAD_SIZE;
  }

  fn keysAt(batch : i32, keyHead : i32, key : i32) -> i32 {
    return ((batch * uniforms.keyRows + key) * uniforms.keyHeads + keyHead) * HEAD_SIZE;
  }

  fn rowAt(batch : i32, keyHead : i32, row : i32) -> i32 {
    let head = keyHead * uniforms.group + row % uniforms.group;
    return (batch * uniforms.keyHeads * uniforms.group + head) * uniforms.queries + row / uniforms.group;
  }`;

function shared({ tiling, headSize, rule, packed = false }: AttentionText, heads: readonly Heads[]): string {
  const { rows, perRow, columns, quads } = tiling;
  return `
  const ROWS = ${rows};
  const PER_ROW = ${perRow};
  const COLUMNS = ${columns};
  const EACH = ${columns / perRow};
  const QUADS = ${quads};
  ${placesCode(headSize)}
  ${heads
    .map((name) => (packed && SIDES[name] === 'keys' ? packedQuadReader(name) : quadReader(name, headSize)))
    .join('')}
  ${rule}
  var<workgroup> others : array<vec4<f32>, COLUMNS * QUADS>;
  var<workgroup> weights : array<f32, ROWS * COLUMNS>;
  var<workgroup> rangeOfBlock : vec2<i32>;`;
}

const quadReader = (name: Heads, headSize: number): string => `
  fn quadOf_${name}(place : i32, quad : i32) -> vec4<f32> {
    ${
      readsQuads(headSize)
        ? `return ${name}[place / 4 + quad];`
        : `
    var value = vec4<f32>(0.0);
    for (var i = 0; i < 4; i++) {
      if (4 * quad + i < HEAD_SIZE) { value[i] = ${name}[place + 4 * quad + i]; }
    }
    return value;`
    }
  }`;

/** A workgroup for each block of items of each key head; a few lanes for each item. */
const mainOf = (side: 'queries' | 'keys'): string => `
  fn main(index : i32) {
    let lane = index % LANES;
    let block = index / LANES;
    let batch = block / (uniforms.blocks * uniforms.keyHeads);
    let keyHead = block / uniforms.blocks % uniforms.keyHeads;
    let firstItem = block % uniforms.blocks * ROWS;
    let numItems = select(0, uniforms.${side}${side === 'queries' ? ' * uniforms.group' : ''}, batch < uniforms.batches);
    let laneRow = lane / PER_ROW;
    let part = lane % PER_ROW;
    let item = firstItem + laneRow;
    let isItem = item < numItems;`;

/** The items of the other side that matter to the block; the same for all lanes, as barriers in the loop demand. */
const range = (side: 'queries' | 'keys'): string => `
    if (lane == 0) {
      let lastItem = min(firstItem + ROWS, numItems) - 1;
      rangeOfBlock = vec2<i32>(0, 0);
      if (firstItem < numItems) {
        rangeOfBlock = ${
          side === 'queries'
            ? 'keysOf(batch, firstItem / uniforms.group, lastItem / uniforms.group)'
            : 'queriesOf(batch, firstItem, lastItem) * uniforms.group'
        };
      }
    }
    let range = workgroupUniformLoad(&rangeOfBlock);`;

const load = (tile: string, name: Heads, first: string, end: string, count: string): string => `
    for (var slot = lane; slot < ${count} * QUADS; slot += LANES) {
      let place = ${first} + slot / QUADS;
      var quad = vec4<f32>(0.0);
      if (place < ${end}) { quad = quadOf_${name}(${SIDES[name]}At(batch, keyHead, place), slot % QUADS); }
      ${tile}[slot] = quad;
    }`;

const loadOwn = (tile: string, name: Heads): string => load(tile, name, 'firstItem', 'numItems', 'ROWS');

const loadOther = (name: Heads): string => load('others', name, 'first', 'range.y', 'COLUMNS');

/**
 * Declares the products of the lane's item with the others that fall to the lane. They are set to zero in so many words:
 * a variable that is declared inside a loop kept its last value on SwiftShader.
 */
const products = (name: string, own: string): string => `
      var ${name} = array<f32, EACH>();
      {
        var dots = array<vec4<f32>, EACH>();
        for (var quad = 0; quad < QUADS; quad++) {
          let left = ${own}[laneRow * QUADS + quad];
          for (var j = 0; j < EACH; j++) { dots[j] += left * others[(part + j * PER_ROW) * QUADS + quad]; }
        }
        for (var j = 0; j < EACH; j++) { ${name}[j] = dot(dots[j], vec4<f32>(1.0)); }
      }`;

const ownQuads = ({ quads, perRow }: Tiling): number => Math.ceil(quads / perRow);

/** Adds the others by their weights to the lane's part of its item's sum. */
const addWeighted = ({ tiling }: AttentionText): string => `
      for (var column = 0; column < COLUMNS; column++) {
        let weight = weights[laneRow * COLUMNS + column];
        for (var j = 0; j < ${ownQuads(tiling)}; j++) {
          let quad = part + j * PER_ROW;
          if (quad < QUADS) { sums[j] += weight * others[column * QUADS + quad]; }
        }
      }`;

const writeSums = ({ tiling }: AttentionText, side: 'queries' | 'keys', value: string): string => `
    let place = ${side}At(batch, keyHead, item);
    for (var j = 0; j < ${ownQuads(tiling)}; j++) {
      let sum = ${value};
      for (var i = 0; i < 4; i++) {
        let at = 4 * (part + j * PER_ROW) + i;
        if (at < HEAD_SIZE) { result[place + at] = sum[i]; }
      }
    }`;
