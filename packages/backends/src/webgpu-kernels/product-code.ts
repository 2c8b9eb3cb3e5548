interface ProductText {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly hasBias: boolean;
}

/** How deep the tiles of a step are. */
const STEP = 16;

/**
 * WGSL of a product by tiles: a workgroup computes a square of the result, each lane 4 × 4 of it, from tiles of both
 * sides that the workgroup loads together.
 */
export function tiledCode(text: ProductText & { tile: number; isHalf: boolean }): string {
  const { tile, isHalf, transposeA, transposeB, hasBias } = text;
  const quads = tile / 4;
  return `
  ${isHalf ? 'enable f16;' : ''}
  const QUADS = ${quads};
  alias Quad = ${isHalf ? 'vec4<f16>' : 'vec4<f32>'};
  // Four rows of the left side, or four columns of the right side, at each depth.
  var<workgroup> tileA : array<Quad, ${STEP * quads}>;
  var<workgroup> tileB : array<Quad, ${STEP * quads}>;
  ${quadReader('a', 'rows', transposeA)}
  ${quadReader('b', 'columns', !transposeB)}

  fn main(index : i32) {
    let lane = index % LANES;
    let place = index / LANES;
    let acrossColumns = (uniforms.columns + ${tile - 1}) / ${tile};
    let inMatrix = (uniforms.rows + ${tile - 1}) / ${tile} * acrossColumns;
    let batch = place / inMatrix;
    let row = place % inMatrix / acrossColumns * ${tile};
    let column = place % acrossColumns * ${tile};
    let laneRow = lane / QUADS;
    let laneColumn = lane % QUADS;
    var sums : array<vec4<f32>, 4>;
    for (var depth = 0; depth < uniforms.depth; depth += ${STEP}) {
      for (var slot = lane; slot < ${STEP} * QUADS; slot += LANES) {
        ${fillTile('tileA', 'a', 'row', transposeA)}
        ${fillTile('tileB', 'b', 'column', !transposeB)}
      }
      workgroupBarrier();
      for (var k = 0; k < ${STEP}; k++) {
        let left = vec4<f32>(tileA[k * QUADS + laneRow]);
        let right = vec4<f32>(tileB[k * QUADS + laneColumn]);
        ${[0, 1, 2, 3].map((i) => `sums[${i}] += left[${i}] * right;`).join('\n        ')}
      }
      workgroupBarrier();
    }
    if (batch >= uniforms.batches) { return; }
    for (var i = 0; i < 4; i++) {
      for (var j = 0; j < 4; j++) {
        let atRow = row + 4 * laneRow + i;
        let atColumn = column + 4 * laneColumn + j;
        if (atRow < uniforms.rows && atColumn < uniforms.columns) {
          result[(batch * uniforms.rows + atRow) * uniforms.columns + atColumn] =
            sums[i][j]${hasBias ? ' + bias[atColumn]' : ''};
        }
      }
    }
  }`;
}

/**
 * WGSL of a product with few rows on the left, which is bound by reading the right side: lanes share a column's depth,
 * and add up what they have.
 */
export function skinnyCode(text: ProductText & { lanes: number; columnsAtOnce: number }): string {
  const { lanes, columnsAtOnce, transposeA, transposeB, hasBias } = text;
  const slices = lanes / columnsAtOnce;
  // The lanes of one column, one after the other.
  const distance = transposeB ? 1 : columnsAtOnce;
  return `
  const SLICES = ${slices};
  var<workgroup> parts : array<vec4<f32>, ${lanes}>;
  ${quadReader('a', 'rows', transposeA)}

  fn main(index : i32) {
    let lane = index % LANES;
    let acrossColumns = (uniforms.columns + ${columnsAtOnce - 1}) / ${columnsAtOnce};
    let batch = index / LANES / acrossColumns;
    let first = index / LANES % acrossColumns * ${columnsAtOnce};
    let column = first + ${transposeB ? 'lane / SLICES' : `lane % ${columnsAtOnce}`};
    let slice = ${transposeB ? 'lane % SLICES' : `lane / ${columnsAtOnce}`};
    let isColumn = batch < uniforms.batches && column < uniforms.columns;
    let fromB = batch * uniforms.stepB;
    var sum = vec4<f32>(0.0);
    if (isColumn) {
      for (var k = slice; k < uniforms.depth; k += SLICES) {
        let right = b[fromB + ${transposeB ? 'column * uniforms.depth + k' : 'k * uniforms.columns + column'}];
        sum += right * quadOf_a(batch * uniforms.stepA, 0, k);
      }
    }
    parts[lane] = sum;
    workgroupBarrier();
    for (var half = SLICES / 2; half > 0; half /= 2) {
      if (slice < half) { parts[lane] += parts[lane + half * ${distance}]; }
      workgroupBarrier();
    }
    if (slice > 0 || !isColumn) { return; }
    for (var row = 0; row < uniforms.rows; row++) {
      result[(batch * uniforms.rows + row) * uniforms.columns + column] =
        parts[lane][row]${hasBias ? ' + bias[column]' : ''};
    }
  }`;
}

/** WGSL: four neighbours of a side across its outer size, at one depth; zeros beyond the edges. */
const quadReader = (side: 'a' | 'b', size: 'rows' | 'columns', isOuterLast: boolean): string => `
  fn quadOf_${side}(base : i32, outer : i32, depth : i32) -> vec4<f32> {
    var quad = vec4<f32>(0.0);
    if (depth >= uniforms.depth) { return quad; }
    for (var i = 0; i < 4; i++) {
      if (outer + i < uniforms.${size}) {
        quad[i] = ${side}[base + ${
          isOuterLast ? `depth * uniforms.${size} + outer + i` : '(outer + i) * uniforms.depth + depth'
        }];
      }
    }
    return quad;
  }`;

/** WGSL: loads the slot's part of a tile; neighbouring lanes read what lies side by side. */
function fillTile(tile: string, side: 'a' | 'b', first: string, isOuterLast: boolean): string {
  const [quad, k] = isOuterLast ? ['slot % QUADS', 'slot / QUADS'] : [`slot / ${STEP}`, `slot % ${STEP}`];
  const base = `batch * uniforms.step${side.toUpperCase()}`;
  return `${tile}[${k} * QUADS + ${quad}] =
          Quad(quadOf_${side}(${base}, ${first} + 4 * (${quad}), depth + ${k}));`;
}
