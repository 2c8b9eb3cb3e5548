import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import type { TensorInfo } from '@tensorflow/tfjs-core';

/** A compute shader with the tensors and numbers of one run. It has one output, `result`, and is run by tfjs. */
export interface Program {
  /** Stands for the text: programs of one name have the same code, names of inputs and names of numbers. */
  readonly name: string;
  /**
   * float32 or int32 tensors by the names that the code reads them under, as flat arrays; it has to read each. The name
   * `out` is tfjs's own.
   */
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  /** Those inputs that the code reads four floats at a time. */
  readonly quads?: readonly string[];
  /** Shape of the result. */
  readonly shape: readonly number[];
  /** Of the result. Default float32. */
  readonly type?: 'float32' | 'int32';
  /** Read as `uniforms.name`, of type i32. */
  readonly ints?: Readonly<Record<string, number>>;
  /** Read as `uniforms.name`, of type f32. */
  readonly floats?: Readonly<Record<string, number>>;
  /** Invocations of a workgroup, which the code knows as LANES. */
  readonly lanes: number;
  /** How many workgroups; there may be a few more, whose writes the code has to keep out. */
  readonly groups: number;
  /** WGSL that declares `fn main(index : i32)`, with the index of the invocation among those of all workgroups. */
  readonly code: () => string;
}

/** A program in tfjs's terms. */
export interface TfjsProgram {
  readonly program: WebGPUProgram;
  readonly inputs: TensorInfo[];
  readonly uniforms: { type: string; data: number[] }[];
}

/**
 * Everything is handed over flat, so that tfjs's key for the text, which depends on ranks and equal shapes, is the
 * same for all sizes.
 */
export function toTfjs({
  name,
  inputs,
  quads = [],
  shape,
  ints = {},
  floats = {},
  lanes,
  groups,
  code,
}: Program): TfjsProgram {
  const declared = [
    ...Object.keys(ints).map((key) => `${key} : i32, `),
    ...Object.keys(floats).map((key) => `${key} : f32, `),
  ];
  return {
    program: {
      shaderKey: `mmllm/${name}`,
      variableNames: Object.keys(inputs),
      variableComponents: Object.keys(inputs).map((key) => (quads.includes(key) ? 4 : 1)),
      // A column: nothing looks like a broadcast into it.
      outputShape: [sizeOf(shape), 1],
      uniforms: declared.join(''),
      workgroupSize: [lanes, 1, 1],
      dispatchLayout: { x: [0, 1] },
      dispatch: [groups, 1, 1],
      getUserCode: () => `const LANES = ${lanes};\n${code()}`,
    },
    inputs: Object.values(inputs).map((info) => ({ ...info, shape: [sizeOf(info.shape)] })),
    uniforms: [
      ...Object.values(ints).map((value) => ({ type: 'int32', data: [value] })),
      ...Object.values(floats).map((value) => ({ type: 'float32', data: [value] })),
    ],
  };
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/** Rows and width of a tensor that is looked at along its last axis. */
export function rowsOf({ shape }: TensorInfo): { rows: number; width: number } {
  const width = shape.at(-1) ?? 1;
  return { rows: sizeOf(shape.slice(0, -1)), width };
}
