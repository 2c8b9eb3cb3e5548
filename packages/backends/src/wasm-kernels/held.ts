import type * as tf from '@tensorflow/tfjs-core';
import { type Activation, activationNumber, NO_ACTIVATION } from './activation-names';
import { type Call, sizeOf, type WasmKernel, wasmKernel } from './call';
import {
  HELD_TYPES,
  type HeldCodes,
  type HeldRows,
  type HeldType,
  isGrouped,
  PANEL,
  writeGroups,
} from './held-panels';
import { throughScratch } from './through-scratch';

export interface HeldAttrs {
  type: HeldType;
  outputs: number;
  inputs: number;
}

interface HeldLinearInputs {
  /** float32[…, inputs] */
  x: tf.TensorInfo;
  /** int32, the panels of a held weight. */
  weight: tf.TensorInfo;
  /** float32[outputs] */
  bias?: tf.TensorInfo;
  /** float32[…, outputs] */
  residual?: tf.TensorInfo;
}

export const INTEGERS = ['weight'];

const typeNumber = (type: HeldType): number => HELD_TYPES.indexOf(type);

/** `mmllm/HoldWeight`: the panels of a weight that is given in codes, as int32. */
const holdWeightKernel = wasmKernel<Record<never, never>, HeldCodes>(
  'mmllm/HoldWeight',
  'weights in 16, 8 or 4 bits',
  (call) => {
    const packed = emptyPanels(call);
    writePanels(call, { ...call.attrs, first: 0 }, packed);
    return packed;
  },
);

/** `mmllm/HoldRows`: the same, of a weight whose outputs come piece by piece. */
const holdRowsKernel = wasmKernel<{ into?: tf.TensorInfo }, HeldRows>(
  'mmllm/HoldRows',
  'packs weights in 16, 8 or 4 bits while they are loaded',
  (call) => {
    const { into } = call.inputs;
    const packed = into ? call.overwrite(into) : emptyPanels(call);
    writePanels(call, call.attrs, packed);
    return packed;
  },
  ['into'],
);

/** Memory for all panels; zero where outputs or bits are put into it one by one, and behind the last. */
function emptyPanels({ attrs, kernels, output, bytes }: Call<unknown, HeldCodes>): tf.TensorInfo {
  const { type, outputs, inputs } = attrs;
  // Unsigned: from 2 GB on it comes out negative.
  const size = kernels.heldBytes(typeNumber(type), outputs, inputs) >>> 0;
  const packed = output([size / 4], 'int32');
  const last = isGrouped(type) ? 0 : Math.floor(outputs / PANEL) * PANEL * inputs * 2;
  bytes(packed).fill(0, last);
  return packed;
}

function writePanels(
  { kernels, address, bytes, withScratch }: Call<unknown, unknown>,
  rows: HeldRows,
  packed: tf.TensorInfo,
): void {
  const { type, codes, inputs, first } = rows;
  if (isGrouped(type)) {
    writeGroups(rows, bytes(packed));
    return;
  }
  throughScratch(withScratch, codes, inputs, (part) => {
    kernels.packHalves(part.from, first + part.first, part.rows, inputs, address(packed));
  });
}

/** `activation(x · Hᵀ + bias) + residual`, and with an activation what went into it. */
export function heldMultiplied({
  inputs: { x, weight, bias, residual },
  attrs,
  resultOnly,
  kernels,
  address,
  output,
  withScratch,
}: Call<HeldLinearInputs, HeldAttrs & { activation?: Activation }>): tf.TensorInfo | tf.TensorInfo[] {
  const { outputs, inputs, activation } = attrs;
  const type = typeNumber(attrs.type);
  const leading = x.shape.slice(0, -1);
  const m = sizeOf(leading);
  const out = output([...leading, outputs]);
  const activated = activation && (resultOnly ? out : output(out.shape));
  const finished = activated ?? (residual && out);
  if (m > 0) {
    withScratch(kernels.heldScratch(type, inputs, m), (scratch) => {
      kernels.heldLinear(
        type,
        address(weight),
        outputs,
        inputs,
        address(x),
        m,
        bias ? address(bias) : 0,
        address(out),
        activation ? activationNumber(activation) : NO_ACTIVATION,
        residual ? address(residual) : 0,
        finished ? address(finished) : 0,
        scratch,
      );
    });
  }
  return activated && !resultOnly ? [activated, out] : out;
}

/** `mmllm/HeldLinear` */
const heldLinearKernel = wasmKernel<HeldLinearInputs, HeldAttrs & { activation?: Activation }>(
  'mmllm/HeldLinear',
  'reads the held weight itself; 8 and 4 bits as integer products for few rows',
  heldMultiplied,
  INTEGERS,
);

/** `mmllm/HeldLinearGrad`: `dy · H`. */
const heldLinearGradKernel = wasmKernel<{ dy: tf.TensorInfo; weight: tf.TensorInfo }, HeldAttrs>(
  'mmllm/HeldLinearGrad',
  'widens the held weight block by block',
  ({ inputs: { dy, weight }, attrs, kernels, address, output, withScratch }) => {
    const { outputs, inputs } = attrs;
    const type = typeNumber(attrs.type);
    const leading = dy.shape.slice(0, -1);
    const m = sizeOf(leading);
    const dx = output([...leading, inputs]);
    withScratch(kernels.heldScratch(type, inputs, m), (scratch) => {
      kernels.heldGradient(type, address(weight), outputs, inputs, address(dy), m, address(dx), scratch);
    });
    return dx;
  },
  INTEGERS,
);

/** `mmllm/HeldRows`: all inputs of the outputs `ids`, float32[ids, inputs]. */
const heldRowsKernel = wasmKernel<{ weight: tf.TensorInfo }, HeldAttrs & { ids: Int32Array }>(
  'mmllm/HeldRows',
  'widens the rows that are asked for',
  (call) => {
    const { ids, inputs } = call.attrs;
    const out = call.output([ids.length, inputs]);
    call.withScratch(call.kernels.heldRowScratch(inputs), (scratch) => widenRows(call, out, scratch));
    return out;
  },
  INTEGERS,
);

function widenRows(
  {
    inputs: { weight },
    attrs,
    kernels,
    address,
  }: Call<{ weight: tf.TensorInfo }, HeldAttrs & { ids: Int32Array }>,
  out: tf.TensorInfo,
  scratch: number,
): void {
  const { ids, inputs } = attrs;
  const [type, from, to] = [typeNumber(attrs.type), address(weight), address(out)];
  for (const [place, id] of ids.entries()) {
    kernels.heldRow(type, from, inputs, id, to + 4 * inputs * place, scratch);
  }
}

/** They go together: what the first packs, only the others read. */
export const heldKernels: readonly WasmKernel[] = [
  holdWeightKernel,
  holdRowsKernel,
  heldLinearKernel,
  heldLinearGradKernel,
  heldRowsKernel,
];
