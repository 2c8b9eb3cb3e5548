import { BackendError } from '@mmllm/core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';

/**
 * Finds shaders that do not compile. WebGPU says so some time later and computes nothing, and tfjs does not listen, so
 * that zeros come out. Here each new shader runs between submits of its own, under an error scope, until it is known
 * to be good; what is wrong is kept until `settle`, `throwFailure` or the reading of any tensor throws it, once.
 */
export class ShaderGuard {
  readonly #good = new Set<string>();
  readonly #pending = new Set<Promise<void>>();
  readonly #failures: BackendError[] = [];
  readonly #backend: WebGPUBackend;
  readonly #onFailure: (kernelName: string, error: BackendError) => void;

  /** @param onFailure called when a shader turns out to be wrong, before anything throws. */
  constructor(backend: WebGPUBackend, onFailure: (kernelName: string, error: BackendError) => void) {
    this.#backend = backend;
    this.#onFailure = onFailure;
    const read = backend.read.bind(backend);
    backend.read = async (dataId) => {
      await this.settle();
      return await read(dataId);
    };
  }

  /** Runs a shader, watching it as long as it is not known to be good. */
  run<T>(kernelName: string, key: string, run: () => T): T {
    if (this.#good.has(key)) return run();
    const { device } = this.#backend;
    this.#submit();
    device.pushErrorScope('validation');
    try {
      const result = run();
      // A dispatch that is invalid spoils all that is submitted with it.
      this.#submit();
      return result;
    } finally {
      this.#listen(kernelName, key, device.popErrorScope());
    }
  }

  /**
   * Waits until all shaders that ran are compiled.
   *
   * @throws {BackendError} for a shader that is wrong, if that was not thrown before.
   */
  async settle(): Promise<void> {
    await this.#compiled();
    this.throwFailure();
  }

  /** Like `settle`, but hands over what is wrong, for a caller that looks after it. */
  async takeFailures(): Promise<BackendError[]> {
    await this.#compiled();
    return this.#failures.splice(0);
  }

  /** @throws {BackendError} for a shader that is known to be wrong, if that was not thrown before. */
  throwFailure(): void {
    const failure = this.#failures.shift();
    if (failure) throw failure;
  }

  async #compiled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  #listen(kernelName: string, key: string, scope: Promise<GPUError | null>): void {
    const outcome = scope.then(
      (error) => {
        if (error) this.#fail(kernelName, key, error);
        else this.#good.add(key);
      },
      // The device was lost or destroyed: nothing can be read from it any more.
      () => {},
    );
    const pending = outcome.finally(() => this.#pending.delete(pending));
    this.#pending.add(pending);
  }

  #fail(kernelName: string, key: string, { message }: GPUError): void {
    const error = new BackendError({
      component: `${kernelName} on webgpu`,
      expected: 'a shader that this device accepts; the reference takes over from here',
      actual: `${key}: ${message}`,
    });
    this.#failures.push(error);
    this.#onFailure(kernelName, error);
  }

  #submit(): void {
    this.#backend.ensureCommandEncoderReady();
    this.#backend.endComputePassEncoder();
    this.#backend.submitQueue();
  }
}
