import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { plainModule, relaxedModule } from './generated/modules';
import type { ActivationExports, LossExports, NormExports, RowExports, WeightExports } from './row-exports';
import { startThreads, type ThreadPool } from './thread-pool';

/** What `assembly/index.ts` exports. Addresses are bytes in the memory of tfjs; flags are 0 or 1. */
export interface Exports extends ActivationExports, NormExports, RowExports, LossExports, WeightExports {
  STATE_SIZE: WebAssembly.Global;
  initialize(state: number): void;
  setThreads(count: number): void;
  splitFrom(work: number): void;
  adamw(
    parameter: number,
    gradient: number,
    m: number,
    v: number,
    n: number,
    ...rest: [
      beta1: number,
      share1: number,
      beta2: number,
      share2: number,
      eps: number,
      rate: number,
      decay: number,
      newParameter: number,
      newM: number,
      newV: number,
    ]
  ): void;
  sumOfSquaresScratch(n: number): number;
  sumOfSquares(x: number, n: number, out: number, scratch: number): void;
  heldBytes(type: number, outputs: number, inputs: number): number;
  heldScratch(type: number, inputs: number, m: number): number;
  heldLinear(
    type: number,
    held: number,
    outputs: number,
    inputs: number,
    x: number,
    m: number,
    ...rest: [
      bias: number,
      y: number,
      activation: number,
      residual: number,
      activated: number,
      scratch: number,
    ]
  ): void;
  heldGradient(
    type: number,
    held: number,
    outputs: number,
    inputs: number,
    dy: number,
    m: number,
    dx: number,
    scratch: number,
  ): void;
  heldRowScratch(inputs: number): number;
  heldRow(type: number, held: number, inputs: number, row: number, to: number, scratch: number): void;
  matmulScratch(m: number, n: number, k: number): number;
  matmul(
    a: number,
    aBatch: number,
    transposeA: number,
    b: number,
    bBatch: number,
    rightLayout: number,
    bias: number,
    c: number,
    batch: number,
    m: number,
    n: number,
    k: number,
    activation: number,
    residual: number,
    activated: number,
    scratch: number,
  ): void;
  packedBytes(n: number, k: number): number;
  packRight(to: number, b: number, transpose: number, n: number, k: number): void;
  attentionScratch(queries: number, keys: number, group: number, headSize: number, packed: number): number;
  quantizeRows(x: number, rows: number, width: number, to: number, scratch: number): void;
  attentionGradientScratch(keys: number, headSize: number): number;
  /** @param task what `attention-task.ts` has written, for both */
  attention(task: number, scratch: number): void;
  attentionGradient(task: number, scratch: number): void;
}

/** The memory of tfjs's module and its allocator. */
export interface Heap {
  readonly memory: WebAssembly.Memory;
  malloc(bytes: number): number;
  free(address: number): void;
}

/**
 * A module with one function that uses `i16x8.relaxed_dot_i8x16_i7x16_s`: it is valid where the engine has relaxed SIMD,
 * as Node 22 and the browsers of 2024 have and Node 20 has not.
 */
const RELAXED_PROBE = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15],
  ...[65, 2, 253, 15, 253, 128, 2, 11],
);

let relaxed: boolean | undefined;

/** Asked at every call of a kernel, so the engine is probed only once. */
export function hasRelaxedSimd(): boolean {
  relaxed ??= WebAssembly.validate(RELAXED_PROBE);
  return relaxed;
}

/** Whether our module runs here at all. */
export const hasSimd = (): boolean => WebAssembly.validate(fromBase64(plainModule));

/** Which of the two modules to use; `relaxed` only where the engine has it. */
export type Variant = 'plain' | 'relaxed';

/** Our module in one memory, and what helper threads make theirs of. */
interface Instance {
  readonly kernels: Exports;
  readonly module: WebAssembly.Module;
}

const instances = new WeakMap<WebAssembly.Memory, Map<Variant, Instance>>();

const bestVariant = (): Variant => (hasRelaxedSimd() ? 'relaxed' : 'plain');

/**
 * Our module in the memory of a wasm backend; the same one at every call.
 *
 * @throws {Error} if the backend hides its memory or the engine has no SIMD.
 */
export const sideModule = (backend: BackendWasm, variant: Variant = bestVariant()): Exports =>
  instanceIn(backend, variant).kernels;

/**
 * Lets `count` threads work on the kernels, where the backend's memory is shared.
 *
 * @returns undefined where it is not.
 */
export function startPool(backend: BackendWasm, count: number): ThreadPool | undefined {
  const { kernels, module } = instanceIn(backend, bestVariant());
  const heap = heapOf(backend);
  if (count === 1 || !isShared(heap.memory)) return undefined;
  // Of its own, since helpers of a pool that was stopped may take a while to end.
  const state = newState(heap, kernels);
  const pool = startThreads({ module, memory: heap.memory, state }, count);
  kernels.setThreads(count);
  return {
    count,
    stop: () => {
      kernels.setThreads(1);
      pool.stop();
    },
  };
}

function instanceIn(backend: BackendWasm, variant: Variant): Instance {
  const heap = heapOf(backend);
  const variants = instances.get(heap.memory) ?? new Map<Variant, Instance>();
  instances.set(heap.memory, variants);
  const instance = variants.get(variant) ?? instantiate(heap, variant);
  variants.set(variant, instance);
  return instance;
}

function instantiate(heap: Heap, variant: Variant): Instance {
  const { memory } = heap;
  const bytes = fromBase64(variant === 'relaxed' ? relaxedModule : plainModule);
  if (isShared(memory)) declareShared(bytes);
  const module = new WebAssembly.Module(bytes);
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  // The functions of `assembly/index.ts`, which a test calls one by one.
  const kernels = exports as unknown as Exports;
  newState(heap, kernels);
  return { kernels, module };
}

/** Gives the main thread's module another state, which lives as long as the memory; it is less than a kilobyte. */
function newState({ malloc }: Heap, kernels: Exports): number {
  const state = malloc(kernels.STATE_SIZE.value);
  if (state === 0) throw new Error('the memory is full');
  kernels.initialize(state);
  return state;
}

/**
 * The memory and the allocator of a wasm backend.
 *
 * @throws {Error} if the backend does not show its memory.
 */
export function heapOf(backend: BackendWasm): Heap {
  // Emscripten's module; its declared type leaves out its memory and allocator.
  const wasm = backend.wasm as typeof backend.wasm & {
    _malloc(bytes: number): number;
    _free(address: number): void;
    asm?: { memory?: WebAssembly.Memory };
    wasmMemory?: WebAssembly.Memory;
  };
  const memory = wasm.asm?.memory ?? wasm.wasmMemory;
  if (!(memory instanceof WebAssembly.Memory)) throw new Error('the backend does not show its memory');
  return { memory, malloc: (bytes) => wasm._malloc(bytes) >>> 0, free: (address) => wasm._free(address) };
}

const isShared = ({ buffer }: WebAssembly.Memory): boolean =>
  typeof SharedArrayBuffer !== 'undefined' && buffer instanceof SharedArrayBuffer;

/** Where the flags of the imported memory stand: behind its import's module, name and kind. */
const MEMORY_IMPORT = [3, ...bytesOf('env'), 6, ...bytesOf('memory'), 2];

/** A shared memory, as the threaded tfjs has in isolated pages, must be imported as one: a flag of the import. */
function declareShared(bytes: Uint8Array): void {
  const at = bytes.findIndex((_, i) => MEMORY_IMPORT.every((byte, offset) => bytes[i + offset] === byte));
  const flags = at + MEMORY_IMPORT.length;
  // 1: with a maximum, 3: also shared.
  if (at < 0 || bytes[flags] !== 1) throw new Error('the module does not import its memory as expected');
  bytes[flags] = 3;
}

function bytesOf(ascii: string): number[] {
  return Array.from(ascii, (character) => character.charCodeAt(0));
}

const fromBase64 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(bytesOf(atob(text)));
