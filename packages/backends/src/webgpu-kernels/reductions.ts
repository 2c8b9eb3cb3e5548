import type { Gpu, GpuSettings } from './gpu';
import type { Program } from './program';

const COMBINE = {
  sum: { pair: (a: string, b: string) => `${a} + ${b}`, subgroup: 'subgroupAdd', neutral: '0.0' },
  max: {
    pair: (a: string, b: string) => `max(${a}, ${b})`,
    subgroup: 'subgroupMax',
    neutral: '-uniforms.INFINITY',
  },
};

/**
 * WGSL: `sumOfLanes` and `maxOfLanes` of a value of each lane of the workgroup, the same for all of them. To be called
 * where no lane can be missing. The order of additions does not depend on timing, so sums have the same bits again.
 */
export const reductions = (lanes: number, { subgroupSize }: GpuSettings): string => `
  ${subgroupSize > 1 ? 'enable subgroups;' : ''}
  var<workgroup> ofLane : array<f32, ${lanes}>;
  ${(['sum', 'max'] as const).map((kind) => reduction(kind, lanes, subgroupSize)).join('')}`;

function reduction(kind: keyof typeof COMBINE, lanes: number, subgroupSize: number): string {
  const { pair, subgroup, neutral } = COMBINE[kind];
  // One lane of each subgroup goes on with what its subgroup has; a subgroup's lanes are neighbours.
  const own =
    subgroupSize > 1
      ? `select(${neutral}, ${subgroup}(value), subgroupMin(localIndex) == localIndex)`
      : 'value';
  const halves: number[] = [];
  for (let half = lanes / 2; half >= subgroupSize; half /= 2) halves.push(half);
  return `
  fn ${kind}OfLanes(value : f32) -> f32 {
    ofLane[localIndex] = ${own};
    workgroupBarrier();
    ${halves
      .map(
        (half) => `
    if (localIndex < ${half}u) {
      ofLane[localIndex] = ${pair('ofLane[localIndex]', `ofLane[localIndex + ${half}u]`)};
    }
    workgroupBarrier();`,
      )
      .join('')}
    let total = ofLane[0];
    workgroupBarrier();
    return total;
  }`;
}

export interface RowProgram extends Omit<Program, 'code' | 'lanes' | 'groups'> {
  readonly rows: number;
  readonly width: number;
  /** WGSL statements, of `sumOverRow` and its like, in terms of `row`. */
  readonly body: () => string;
}

/** Runs a program with a workgroup for each row of float32[rows, width]. */
export function runRows(gpu: Gpu, { rows, width, body, ...program }: RowProgram) {
  const lanes = gpu.lanes(width > 512 ? 256 : 64);
  const { subgroupSize } = gpu.settings;
  return gpu.run({
    ...program,
    name: `${program.name}, ${lanes} lanes${subgroupSize > 1 ? `, subgroups of ${subgroupSize}` : ''}`,
    ints: { rows, width, ...program.ints },
    lanes,
    groups: rows,
    code: () => `${reductions(lanes, gpu.settings)}
      fn main(index : i32) {
        let lane = index % LANES;
        let row = min(index / LANES, uniforms.rows - 1);
        let isRow = index / LANES < uniforms.rows;
        let begin = row * uniforms.width;
        ${body()}
      }`,
  });
}

const overRow = (statement: string): string =>
  `for (var i = begin + lane; i < begin + uniforms.width; i += LANES) { ${statement} }`;

/** WGSL: declares the sum over the row of a term in `i`, an index of a tensor of rows. */
export const sumOverRow = (name: string, term: string): string => `
  var ${name}OfLane = 0.0;
  ${overRow(`${name}OfLane += ${term};`)}
  let ${name} = sumOfLanes(${name}OfLane);`;

/** WGSL: declares the largest value over the row of a term in `i`. */
export const maxOverRow = (name: string, term: string): string => `
  var ${name}OfLane = -uniforms.INFINITY;
  ${overRow(`${name}OfLane = max(${name}OfLane, ${term});`)}
  let ${name} = maxOfLanes(${name}OfLane);`;

/** WGSL: writes every element of the row, a term in `i`. */
export const writeRow = (term: string): string => `if (isRow) { ${overRow(`result[i] = ${term};`)} }`;

/** WGSL: writes one value for the row. */
export const writeOfRow = (term: string): string => `if (isRow && lane == 0) { result[row] = ${term}; }`;
