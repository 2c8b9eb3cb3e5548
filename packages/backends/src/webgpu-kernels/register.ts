import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { activateGradKernel, activateKernel, gatedGradKernel, gatedKernel } from './activate';
import { adamwKernel } from './adamw';
import { attentionGradKernel, attentionKernel, packedAttentionKernel } from './attention';
import { cacheAppendKernel } from './cache-append';
import { cacheRowsKernel } from './cache-rows';
import { columnSumsKernel } from './column-sums';
import { crossEntropyGradKernel, crossEntropyKernel } from './cross-entropy';
import { embeddingGradKernel, embeddingKernel, selectRowsKernel } from './embedding';
import { type GpuPrecision, type GpuSettings, type GpuState, gpuState } from './gpu';
import { heldKernels } from './held';
import type { WebgpuKernel } from './kernel';
import { layerNormGainGradKernel, layerNormGradKernel, layerNormKernel } from './layer-norm';
import { linearKernel } from './linear';
import { logSumExpGradKernel, logSumExpKernel } from './log-sum-exp';
import { matmulKernel } from './matmul';
import { quantizeRowsKernel } from './packed-rows';
import { runProbes } from './probes';
import { rmsNormGainGradKernel, rmsNormGradKernel, rmsNormKernel } from './rms-norm';
import { ropeKernel } from './rope';
import { sumOfSquaresKernel } from './sum-of-squares';

/** What the first packs, only the other reads. */
const packedKernels: readonly WebgpuKernel[] = [quantizeRowsKernel, packedAttentionKernel];

export const KERNELS: readonly WebgpuKernel[] = [
  matmulKernel,
  linearKernel,
  ...heldKernels,
  attentionKernel,
  attentionGradKernel,
  ...packedKernels,
  columnSumsKernel,
  cacheAppendKernel,
  cacheRowsKernel,
  layerNormKernel,
  layerNormGradKernel,
  layerNormGainGradKernel,
  rmsNormKernel,
  rmsNormGradKernel,
  rmsNormGainGradKernel,
  logSumExpKernel,
  logSumExpGradKernel,
  crossEntropyKernel,
  crossEntropyGradKernel,
  ropeKernel,
  activateKernel,
  activateGradKernel,
  gatedKernel,
  gatedGradKernel,
  embeddingKernel,
  embeddingGradKernel,
  selectRowsKernel,
  adamwKernel,
  sumOfSquaresKernel,
];

export interface WebgpuKernelOptions {
  /** What products read their tiles as; float16 only where the device has `shader-f16`. Default float32. */
  readonly precision?: GpuPrecision | undefined;
  /** Whether sums over rows use subgroups, where the device has them. Default true. */
  readonly subgroups?: boolean | undefined;
  /** Whether each is tried on its probes, unless that was done before. Default true. */
  readonly probe?: boolean | undefined;
}

/**
 * Registers our kernels for tfjs's webgpu backend under the names of the op layer, in place of its references, each
 * after its shaders gave the right results for small inputs, if that is asked for. What fails is left to the reference. Doing it again
 * with the same options changes nothing.
 *
 * @returns the kernels that are in place, and those that were left out, with the reason.
 */
export async function registerWebgpuKernels(
  backend: WebGPUBackend,
  options: WebgpuKernelOptions = {},
  kernels: readonly WebgpuKernel[] = KERNELS,
): Promise<{ kernelName: string; reason: string }[]> {
  const state = gpuState(backend);
  state.settings = settingsFor(backend.device, options);
  if (options.probe ?? true) await runProbes(state, kernels);
  leaveTogether(state, heldKernels);
  leaveTogether(state, packedKernels);
  return kernels.map((kernel) => register(state, kernel));
}

/** Kernels of which one is useless without the others. */
function leaveTogether({ failed }: GpuState, kernels: readonly WebgpuKernel[]): void {
  const failure = kernels.map(({ kernelName }) => failed.get(kernelName)).find(Boolean);
  if (failure) for (const { kernelName } of kernels) failed.set(kernelName, failure);
}

function register(
  { failed, settings }: GpuState,
  { kernelName, reason, kernelFunc }: WebgpuKernel,
): { kernelName: string; reason: string } {
  const failure = failed.get(kernelName);
  const current: tf.KernelConfig | undefined = tf.getKernel(kernelName, 'webgpu');
  if (current && (failure ? current.kernelFunc === kernelFunc : current.kernelFunc !== kernelFunc)) {
    tf.unregisterKernel(kernelName, 'webgpu');
  }
  if (failure) return { kernelName, reason: `left to the reference: ${failure.actual.split('\n')[0]}` };
  if (current?.kernelFunc !== kernelFunc) {
    tf.registerKernel({ kernelName, backendName: 'webgpu', kernelFunc });
  }
  return { kernelName, reason: `${reason} (WGSL, ${settings.precision})` };
}

/** What of the options the device can do. */
function settingsFor(
  { features, adapterInfo }: GPUDevice,
  { precision = 'float32', subgroups = true }: WebgpuKernelOptions,
): GpuSettings {
  return {
    precision: features.has('shader-f16') ? precision : 'float32',
    // Four is the least that WebGPU allows.
    subgroupSize: subgroups && features.has('subgroups') ? (adapterInfo?.subgroupMinSize ?? 4) : 1,
  };
}
