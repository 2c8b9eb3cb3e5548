import { beforeAll, describe, inject } from 'vitest';
import { type BackendName, startBackend } from '../../packages/backends/src/index';

declare module 'vitest' {
  interface ProvidedContext {
    /** The backends that the project runs its `*.backends.test.ts` files on: `vitest.config.ts` says which. */
    backends: BackendName[];
  }
}

/**
 * Runs a suite once on each backend that this test project has: cpu, wasm and webgpu in Node, webgl, webgpu and wasm
 * in the browser. A backend that does not start fails the suite. For `*.backends.test.ts` files.
 */
export function describeBackends(name: string, suite: (backend: BackendName) => void): void {
  describe.each(inject('backends'))(`${name} on %s`, (backend) => {
    beforeAll(async () => {
      // What is wrong is to fail, not to be left to a reference.
      await startBackend({ backend, probeKernels: false });
    });
    suite(backend);
  });
}
