import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { activateGradKernel, activateKernel, gatedGradKernel, gatedKernel } from './activate';
import { adamwKernel } from './adamw';
import { attentionGradKernel, attentionKernel, packedAttentionKernel } from './attention';
import { cacheAppendKernel } from './cache-append';
import { cacheRowsKernel } from './cache-rows';
import type { WasmKernel } from './call';
import { groupedMatmulGradKernel, groupedMatmulKernel } from './grouped-matmul';
import { heldKernels } from './held';
import { layerNormGainGradKernel, layerNormGradKernel, layerNormKernel } from './layer-norm';
import { linearKernel } from './linear';
import { linearsKernel } from './linears';
import { crossEntropyGradKernel, crossEntropyKernel, logSumExpGradKernel, logSumExpKernel } from './losses';
import { matmulKernel } from './matmul';
import {
  sigmoidPairLossGradKernel,
  sigmoidPairLossKernel,
  softCrossEntropyGradKernel,
  softCrossEntropyKernel,
} from './pair-losses';
import { quantizeRowsKernel } from './quantize-rows';
import { rmsNormGainGradKernel, rmsNormGradKernel, rmsNormKernel } from './rms-norm';
import { ropeKernel } from './rope';
import { columnSumsKernel, embeddingGradKernel, embeddingKernel, selectRowsKernel } from './rows';
import { hasRelaxedSimd, hasSimd, sideModule } from './side-module';
import { sumOfSquaresKernel } from './sum-of-squares';
import { writeWeightKernel } from './write-weight';

export const KERNELS: readonly WasmKernel[] = [
  matmulKernel,
  linearKernel,
  linearsKernel,
  ...heldKernels,
  groupedMatmulKernel,
  groupedMatmulGradKernel,
  attentionKernel,
  attentionGradKernel,
  packedAttentionKernel,
  quantizeRowsKernel,
  cacheAppendKernel,
  cacheRowsKernel,
  activateKernel,
  activateGradKernel,
  gatedKernel,
  gatedGradKernel,
  layerNormKernel,
  layerNormGradKernel,
  layerNormGainGradKernel,
  rmsNormKernel,
  rmsNormGradKernel,
  rmsNormGainGradKernel,
  ropeKernel,
  embeddingKernel,
  embeddingGradKernel,
  selectRowsKernel,
  columnSumsKernel,
  logSumExpKernel,
  logSumExpGradKernel,
  crossEntropyKernel,
  crossEntropyGradKernel,
  softCrossEntropyKernel,
  softCrossEntropyGradKernel,
  sigmoidPairLossKernel,
  sigmoidPairLossGradKernel,
  adamwKernel,
  sumOfSquaresKernel,
  writeWeightKernel,
];

/**
 * Registers our faster kernels for tfjs's wasm backend under the names of the op layer, in place of its references,
 * and makes our module ready in the backend's memory. Doing it again changes nothing.
 *
 * @returns the kernels that are in place; none where the engine has no SIMD.
 * @throws {Error} if the backend does not show its memory.
 */
export function registerWasmKernels(backend: BackendWasm): { kernelName: string; reason: string }[] {
  if (!hasSimd()) return [];
  sideModule(backend);
  const simd = hasRelaxedSimd() ? 'relaxed SIMD' : 'plain SIMD';
  return KERNELS.map(({ kernelName, reason, kernelFunc }) => {
    const current: tf.KernelConfig | undefined = tf.getKernel(kernelName, 'wasm');
    if (current?.kernelFunc !== kernelFunc) {
      if (current) tf.unregisterKernel(kernelName, 'wasm');
      tf.registerKernel({ kernelName, backendName: 'wasm', kernelFunc });
    }
    return { kernelName, reason: `${reason} (${simd})` };
  });
}
