import {
  type HeldType,
  type HeldWeight,
  isGroupedPiece,
  type WeightPiece,
  type WeightWriter,
  widen,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { checkCodes, checkScales, encode, type HeldCodes, noCodes } from './codes';
import { GROUP } from './groups';
import { heldWeight, packCodes } from './hold';

/** What a weight that comes piece by piece is to be held as. */
export interface WriterTarget {
  readonly type: HeldType;
  readonly shape: readonly [number, number];
  readonly inputAxis: 0 | 1;
  /** Of the parameter, for messages. */
  readonly path: string;
}

/**
 * Holds a weight whose outputs come one after the other, each with all its inputs: every piece is encoded by itself.
 * Numbers that have the type already keep their bits.
 */
export function heldWriter({ type, shape, inputAxis, path }: WriterTarget): WeightWriter<HeldWeight> {
  const [inputs, outputs] = [shape[inputAxis], shape[1 - inputAxis]!];
  const panels = hasKernel() ? new PackedRows(outputs) : new GatheredRows(type, outputs, inputs);
  return {
    write: (piece) => panels.write(encodePiece(piece, type, inputs, path)),
    finish: () => heldWeight(panels.finish(), type, { shape, inputAxis }),
    dispose: () => panels.dispose(),
  };
}

function encodePiece(piece: WeightPiece, type: HeldType, inputs: number, path: string): HeldCodes {
  const outputs = piece.values.length / inputs;
  if (piece.type === 'float32' || piece.type !== type || !fits(piece, inputs)) {
    return encode({ values: widen(piece), shape: [outputs, inputs], inputAxis: 1 }, type, path);
  }
  const held = { type, outputs, inputs, codes: piece.values, scales: NONE, minimums: NONE };
  if (!isGroupedPiece(piece)) {
    checkCodes(piece.values, piece.type, path);
    return held;
  }
  checkScales(piece.scales, piece.type, path);
  if (piece.type !== 'q4_1') return { ...held, scales: piece.scales };
  checkScales(piece.minimums, piece.type, path);
  return { ...held, scales: piece.scales, minimums: piece.minimums };
}

const NONE = new Float32Array();

/** Whether its codes can be taken over. Kernels turn the sign of q8's, and −128, which ggml never writes, has no other. */
const fits = (piece: WeightPiece, inputs: number): boolean =>
  !isGroupedPiece(piece) || (inputs % GROUP === 0 && (piece.type !== 'q8' || !piece.values.includes(-128)));

/**
 * A kernel that a backend may register to pack outputs as they come: inputs `{ into? }`, the packing so far, and as
 * attributes the codes of outputs from `first` on, in which `outputs` counts all. Its last result is what
 * `mmllm/HoldWeight` gives.
 */
const HOLD_ROWS = 'mmllm/HoldRows';

function hasKernel(): boolean {
  if (!tf.getBackend()) tf.backend();
  return tf.getKernel(HOLD_ROWS, tf.getBackend()) !== undefined;
}

/** Packs each piece at once. */
class PackedRows {
  readonly #outputs: number;
  #packed: tf.Tensor | undefined;
  #first = 0;

  constructor(outputs: number) {
    this.#outputs = outputs;
  }

  write(codes: HeldCodes): void {
    const before = this.#packed;
    const attrs = { ...codes, outputs: this.#outputs, first: this.#first };
    const inputs: tf.NamedTensorMap = before ? { into: before } : {};
    // tfjs types attributes as JSON; it hands them to the kernel untouched.
    const given = attrs as unknown as tf.NamedAttrMap;
    this.#packed = tf.keep(tf.engine().runKernel<tf.Tensor>(HOLD_ROWS, inputs, given));
    before?.dispose();
    this.#first += codes.outputs;
  }

  finish(): tf.Tensor {
    const packed = this.#packed!;
    this.#packed = undefined;
    return packed;
  }

  dispose(): void {
    this.#packed?.dispose();
    this.#packed = undefined;
  }
}

/** Gathers the codes on the host, in fewer bits than float32 already. */
class GatheredRows {
  #all: HeldCodes;
  #first = 0;

  constructor(type: HeldType, outputs: number, inputs: number) {
    this.#all = noCodes(type, outputs, inputs);
  }

  write({ codes, scales, minimums, outputs }: HeldCodes): void {
    const all = this.#all;
    all.codes.set(codes, this.#first * all.inputs);
    all.scales.set(scales, (this.#first * all.scales.length) / all.outputs);
    all.minimums.set(minimums, (this.#first * all.minimums.length) / all.outputs);
    this.#first += outputs;
  }

  finish(): tf.Tensor {
    return tf.keep(packCodes(this.#all));
  }

  dispose(): void {
    this.#all = noCodes(this.#all.type, 0, 0);
  }
}
