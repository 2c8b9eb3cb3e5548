import { BackendError } from '@mmllm/core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { allowDirectives } from './directives';
import { type Program, sizeOf, toTfjs } from './program';
import { ShaderGuard } from './shader-guard';

/** The type that products read their tiles as; sums are float32 in any case. */
export type GpuPrecision = 'float32' | 'float16';

export interface GpuSettings {
  readonly precision: GpuPrecision;
  /** The least size of subgroups that sums over rows may count on; 1 uses none. */
  readonly subgroupSize: number;
}

/** What this package keeps about a backend: how its programs are written, and which of them do not work. */
export interface GpuState {
  readonly backend: WebGPUBackend;
  readonly guard: ShaderGuard;
  /** Kernels that were given up, and why. */
  readonly failed: Map<string, BackendError>;
  settings: GpuSettings;
}

const states = new WeakMap<WebGPUBackend, GpuState>();

/** The state of a backend, which also prepares it for our programs. */
export function gpuState(backend: WebGPUBackend): GpuState {
  const known = states.get(backend);
  if (known) return known;
  allowDirectives(backend.device);
  const failed = new Map<string, BackendError>();
  const guard = new ShaderGuard(backend, (kernelName, error) => {
    failed.set(kernelName, error);
    // Where there is no kernel, the op layer registers its reference at the next call.
    if (tf.getKernel(kernelName, 'webgpu')) tf.unregisterKernel(kernelName, 'webgpu');
  });
  const state: GpuState = { backend, guard, failed, settings: { precision: 'float32', subgroupSize: 1 } };
  states.set(backend, state);
  return state;
}

/**
 * Waits until every shader that ran on the backend is compiled.
 *
 * @throws {BackendError} for one that is wrong, if that was not thrown before.
 */
export const checkShaders = (backend: WebGPUBackend): Promise<void> => gpuState(backend).guard.settle();

/** What one call of a kernel may do. All tensors that it makes and does not return are freed at its end. */
export class Gpu {
  readonly #state: GpuState;
  readonly #kernelName: string;
  readonly #made = new Set<tf.TensorInfo>();

  constructor(state: GpuState, kernelName: string) {
    this.#state = state;
    this.#kernelName = kernelName;
  }

  get limits(): GPUSupportedLimits {
    return this.#state.backend.device.limits;
  }

  get settings(): GpuSettings {
    return this.#state.settings;
  }

  /** The number of invocations of a workgroup: as many as wished, or as many as the device allows. */
  lanes(wished: number): number {
    return Math.min(wished, this.limits.maxComputeInvocationsPerWorkgroup);
  }

  /**
   * Runs a program. With `into`, it writes to that result of an earlier one.
   * @throws BackendError for a tensor that no shader can be given here: WebGPU itself would leave the result zero.
   */
  run(program: Program, into?: tf.TensorInfo): tf.TensorInfo {
    const { backend, guard } = this.#state;
    const { shape, type = 'float32' } = program;
    this.#checkSizes(program);
    if (sizeOf(shape) === 0) {
      return this.#keep(backend.makeTensorInfo([...shape], type, new Float32Array(0)));
    }
    const output = into ?? this.#keep(backend.makeTensorInfo([...shape], type));
    const inputs = Object.fromEntries(
      Object.entries(program.inputs).map(([name, info]) => [name, this.#notEmpty(info)]),
    );
    const { program: text, inputs: infos, uniforms } = toTfjs({ ...program, inputs });
    // Not among the commands of a shader that may turn out to be wrong: they would be lost with it.
    for (const { dataId } of infos) backend.uploadToGPU(dataId);
    const isFlat = program.groups <= this.limits.maxComputeWorkgroupsPerDimension;
    const flat = { ...output, shape: text.outputShape };
    guard.run(this.#kernelName, `${program.name}${isFlat ? '' : ' (in several dimensions)'}`, () =>
      backend.runWebGPUProgram(text, infos, type, uniforms, flat),
    );
    return output;
  }

  /** Runs a program that computes each element of the result by itself: `value` is WGSL in terms of its index `i`. */
  elements({ value, prelude = () => '', ...program }: ElementProgram): tf.TensorInfo {
    const size = sizeOf(program.shape);
    const lanes = this.lanes(64);
    return this.run({
      ...program,
      ints: { size, ...program.ints },
      lanes,
      groups: Math.ceil(size / lanes),
      code: () => `${prelude()}
        fn main(i : i32) {
          if (i < uniforms.size) { result[i] = ${value()}; }
        }`,
    });
  }

  /** Values of the host as a tensor. */
  upload(values: Float32Array | Int32Array): tf.TensorInfo {
    const dtype = values instanceof Int32Array ? 'int32' : 'float32';
    return this.#keep(this.#state.backend.makeTensorInfo([values.length], dtype, values));
  }

  /**
   * A tensor's own data once more, to be written in place, or undefined where anything else holds it: a clone, a tape,
   * or values on the host, which would not change with it.
   */
  overwrite({ dataId, shape, dtype }: tf.TensorInfo): tf.TensorInfo | undefined {
    const { backend } = this.#state;
    if (backend.refCount(dataId) > 1 || backend.tensorMap.get(dataId).values) return undefined;
    backend.incRef(dataId);
    return { dataId, shape, dtype };
  }

  copy(x: tf.TensorInfo): tf.TensorInfo {
    const type = x.dtype === 'int32' ? 'int32' : 'float32';
    return this.elements({
      name: `Copy of ${type}`,
      inputs: { x },
      type,
      shape: x.shape,
      value: () => 'x[i]',
    });
  }

  /** Frees all that was made, but for what is returned. */
  free(returned: readonly tf.TensorInfo[]): void {
    for (const { dataId } of this.#made) {
      if (!returned.some((info) => info.dataId === dataId)) this.#state.backend.disposeData(dataId);
    }
    this.#made.clear();
  }

  #keep(info: tf.TensorInfo): tf.TensorInfo {
    this.#made.add(info);
    return info;
  }

  #checkSizes({ shape, inputs }: Program): void {
    const largest = 4 * Math.max(sizeOf(shape), ...Object.values(inputs).map((info) => sizeOf(info.shape)));
    const limit = this.limits.maxStorageBufferBindingSize;
    if (largest <= limit) return;
    throw new BackendError({
      component: `${this.#kernelName} on webgpu`,
      expected: `tensors of at most ${limit} bytes, which is what this adapter lets a shader see`,
      actual: `${largest} bytes`,
    });
  }

  /** WebGPU binds no empty buffers; no program reads from an empty tensor. */
  #notEmpty(info: tf.TensorInfo): tf.TensorInfo {
    if (sizeOf(info.shape) > 0) return info;
    return this.upload(info.dtype === 'int32' ? new Int32Array(4) : new Float32Array(4));
  }
}

export interface ElementProgram extends Omit<Program, 'code' | 'lanes' | 'groups'> {
  readonly value: () => string;
  /** Functions that `value` calls. */
  readonly prelude?: () => string;
}
