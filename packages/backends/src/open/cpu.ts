import type { OpenBackend } from './open';

/** Plain JavaScript: works everywhere, slowly. */
export const openCpu: OpenBackend = async () => {
  const { MathBackendCPU } = await import('@tensorflow/tfjs-backend-cpu');
  const backend = new MathBackendCPU();
  // Its first tensor in Node prints an advertisement for tfjs-node, which does not run on Node 23 and later.
  Reflect.set(backend, 'firstUse', false);
  return { backend };
};
