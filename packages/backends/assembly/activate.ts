/** Activations of a range of floats, alone and as the gate of a product, and their gradients: one pass each. */
import {
  Activation,
  Gelu,
  GeluTanh,
  Identity,
  QuickGelu,
  Relu,
  Relu2,
  Sigmoid,
  Silu,
  Tanh,
} from './activations';
import { ACTIVATION } from './jobs';
import { argument, begin, first, launch, partsFor, put } from './threads';
import { loadSome, storeSome } from './vector';

/** The numbers of the activations, which are the places of their names in `activation-names.ts` of the loader. */
const GELU: i32 = 0;
const GELU_TANH: i32 = 1;
const QUICK_GELU: i32 = 2;
const SILU: i32 = 3;
const RELU: i32 = 4;
const RELU2: i32 = 5;
const TANH: i32 = 6;
const SIGMOID: i32 = 7;

/** Work for each float, an exponential above all. */
const COST: f64 = 30;

/**
 * Floats `from` to `to` of all four kernels for one activation `a`: `out = a(x)`, with an `up` times that, with a `dy`
 * the gradients `out = dy · up · a'(x)` and `dUp = dy · a(x)`.
 */
function sweep<A extends Activation>(
  dy: usize,
  x: usize,
  up: usize,
  out: usize,
  dUp: usize,
  from: i32,
  to: i32,
): void {
  const a = changetype<A>(0);
  for (let i = from; i < to; i += 4) {
    const at = (<usize>i) << 2;
    const count = to - i;
    const input = loadSome(x + at, count);
    const core = a.core(input);
    let result = dy ? a.slope(input, core) : a.value(input, core);
    if (up) result = f32x4.mul(result, loadSome(up + at, count));
    if (dy) {
      const g = loadSome(dy + at, count);
      result = f32x4.mul(result, g);
      if (up) storeSome(dUp + at, f32x4.mul(g, a.value(input, core)), count);
    }
    storeSome(out + at, result, count);
  }
}

/** The same by the number of the activation; a number without one leaves values as they are. */
export function activateRange(
  kind: i32,
  dy: usize,
  x: usize,
  up: usize,
  out: usize,
  dUp: usize,
  from: i32,
  to: i32,
): void {
  if (kind === GELU) sweep<Gelu>(dy, x, up, out, dUp, from, to);
  else if (kind === GELU_TANH) sweep<GeluTanh>(dy, x, up, out, dUp, from, to);
  else if (kind === QUICK_GELU) sweep<QuickGelu>(dy, x, up, out, dUp, from, to);
  else if (kind === SILU) sweep<Silu>(dy, x, up, out, dUp, from, to);
  else if (kind === RELU) sweep<Relu>(dy, x, up, out, dUp, from, to);
  else if (kind === RELU2) sweep<Relu2>(dy, x, up, out, dUp, from, to);
  else if (kind === TANH) sweep<Tanh>(dy, x, up, out, dUp, from, to);
  else if (kind === SIGMOID) sweep<Sigmoid>(dy, x, up, out, dUp, from, to);
  else sweep<Identity>(dy, x, up, out, dUp, from, to);
}

function run(kind: i32, dy: usize, x: usize, up: usize, out: usize, dUp: usize, n: i32): void {
  begin(ACTIVATION);
  put(<usize>kind);
  put(dy);
  put(x);
  put(up);
  put(out);
  put(dUp);
  put(<usize>n);
  launch(partsFor(COST * <f64>n));
}

export function activationPart(part: i32, parts: i32): void {
  const n = <i32>argument(6);
  activateRange(
    <i32>argument(0),
    argument(1),
    argument(2),
    argument(3),
    argument(4),
    argument(5),
    first(n, part, parts, 16),
    first(n, part + 1, parts, 16),
  );
}

/** The activation of `n` floats. */
export function activate(kind: i32, x: usize, out: usize, n: i32): void {
  run(kind, 0, x, 0, out, 0, n);
}

/** `dx = dy · activation'(x)`, for `n` floats. */
export function activationGradient(kind: i32, dy: usize, x: usize, dx: usize, n: i32): void {
  run(kind, dy, x, 0, dx, 0, n);
}

/** `activation(gate) · up`, for `n` floats (Shazeer, arXiv:2002.05202). */
export function gated(kind: i32, gate: usize, up: usize, out: usize, n: i32): void {
  run(kind, 0, gate, up, out, 0, n);
}

/** `dGate = dy · up · activation'(gate)` and `dUp = dy · activation(gate)`, for `n` floats. */
export function gatedGradient(
  kind: i32,
  dy: usize,
  gate: usize,
  up: usize,
  dGate: usize,
  dUp: usize,
  n: i32,
): void {
  run(kind, dy, gate, up, dGate, dUp, n);
}
