import { formatTable } from '@mmllm/core';
import type { Plan } from './plan';
import { formatBytes, formatFlops } from './size';

const count = (n: number): string => n.toLocaleString('en-US');

const PHASES = {
  prepare: 'outside the gradient',
  forward: 'on the way forward',
  backward: 'on the way back',
  update: 'in the update',
} as const;

/** What a person reads: the parts, the peak, the operations, and what fits. */
export function formatPlan(plan: Plan): string {
  const { stage, batch, length, images, dtype, parameters, trained, peak, flops, fit } = plan;
  const held = trained === parameters || dtype === 'float32' ? '' : `, frozen matrices as ${dtype}`;
  const inference = stage === 'inference';
  const rows = [
    ['weights', formatBytes(plan.weights)],
    ...(inference
      ? [['keys and values', formatBytes(plan.kvCache)]]
      : [
          ['gradients', formatBytes(plan.gradients)],
          ['optimiser', formatBytes(plan.optimizer)],
        ]),
    ['activations', formatBytes(plan.activations)],
    ['peak', formatBytes(peak.bytes)],
  ];
  const lines = [
    `${stage}: ${count(batch)} × ${count(length)} tokens, ${count(images)} ${images === 1 ? 'picture' : 'pictures'} in each${held}`,
    `${count(parameters)} parameters, ${count(trained)} trained`,
    '',
    formatTable([['memory', 'bytes'], ...rows]),
    '',
    inference
      ? `a prompt takes ${formatFlops(flops.forward)}`
      : `the peak is ${PHASES[peak.phase]}; a step takes ${formatFlops(flops.forward)} forward and ${formatFlops(flops.backward)} back`,
  ];
  if (fit) {
    const largest =
      fit.largestBatch === 0 ? 'not even a batch of 1' : `a batch of ${count(fit.largestBatch)}`;
    lines.push(
      `${formatBytes(fit.memory)}: ${fit.fits ? 'it fits' : 'it does not fit'}; what fits is ${largest}`,
    );
  }
  return lines.join('\n');
}
