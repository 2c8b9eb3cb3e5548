import type { HeldType, TrainStage, Work } from './engine.ts';
import type { StoredType } from './load-file.ts';

/** Engines by the name that tables give them. */
export type EngineName =
  | 'ours'
  | 'onnxruntime-web'
  | 'onnxruntime-web fused'
  | 'transformers.js'
  | 'transformers.js fused'
  | 'tfjs'
  | 'tfjs transposing'
  | 'read and copy'
  | 'read alone'
  | 'sharp and Pillow'
  | 'PyTorch';

/** An engine with work and threads of its own: one process. */
export interface Contestant {
  readonly engine: EngineName;
  readonly work: Work;
  readonly threads: number;
}

/** Ours beside one peer or several, of which the fastest counts. They take turns. */
export interface Match {
  readonly ours: Contestant;
  readonly peers: readonly Contestant[];
}

export type Unit = 'ms' | 'ms to first' | 'tokens/s' | 'MB' | 'MB more';

/** One line of the table. */
export interface Row {
  readonly name: string;
  /** `ms`: of one run; `ms to first`: of its first token; `MB`: peak resident memory of a process; `MB more`: than it had before its first run. */
  readonly unit: Unit;
  /** Of each process, where every round has new ones, and one at a time. */
  readonly runs?: number;
  /** What the ratio, ours to theirs, must reach. */
  readonly goal: number;
  /** The one with the smallest ratio counts. */
  readonly matches: readonly Match[];
}

const LLAVA = 'llava-train';
const SMOLLM2 = 'smollm2-135m';

const on =
  (engine: EngineName, threads: number) =>
  (work: Work): Contestant => ({ engine, work, threads });

function matmul(name: string, transpose?: 'a' | 'b'): Row {
  const plain: Work = { kind: 'matmul', size: 1024 };
  const ours = on('ours', 1)({ ...plain, transpose });
  return { name, unit: 'ms', goal: 1.65, matches: [{ ours, peers: [on('onnxruntime-web', 1)(plain)] }] };
}

function vision(name: string, model: string, batch: number): Row {
  const work: Work = { kind: 'vision', model, batch };
  const matches = [1, 2].map((threads) => ({
    ours: on('ours', threads)(work),
    peers: [on('onnxruntime-web', threads)(work), on('transformers.js', threads)(work)],
  }));
  return { name, unit: 'ms', goal: 1.35, matches };
}

const step = (stage: TrainStage): Work => ({ kind: 'train', model: LLAVA, stage });

function training(name: string, goal: number, peer: EngineName, threads = 1): Row {
  const work = step('full');
  return {
    name,
    unit: 'ms',
    goal,
    matches: [{ ours: on('ours', threads)(work), peers: [on(peer, threads)(work)] }],
  };
}

/** Against our own full step. */
const projector = (name: string, goal: number, stage: TrainStage): Row => ({
  name,
  unit: 'ms',
  goal,
  matches: [{ ours: on('ours', 1)(step(stage)), peers: [on('ours', 1)(step('full'))] }],
});

function decode(name: string, goal: number, held: HeldType): Row {
  const work = (type: HeldType): Work => ({ kind: 'decode', model: SMOLLM2, held: type });
  const peers = [
    'onnxruntime-web',
    'onnxruntime-web fused',
    'transformers.js',
    'transformers.js fused',
  ] as const;
  return {
    name,
    unit: 'tokens/s',
    goal,
    matches: [{ ours: on('ours', 1)(work(held)), peers: peers.map((peer) => on(peer, 1)(work('float32'))) }],
  };
}

/** Of `generate`, against the other library that has it, with weights of the same kind. */
function generating(name: string, goal: number, rest: Pick<Row, 'unit' | 'runs'>, held: HeldType): Row {
  const work: Work = { kind: 'decode', model: SMOLLM2, held };
  const peers = (['transformers.js', 'transformers.js fused'] as const).map((peer) => on(peer, 1)(work));
  return { name, goal, ...rest, matches: [{ ours: on('ours', 1)(work), peers }] };
}

/** Into new memory every time. */
function loading(name: string, stored: StoredType, held: HeldType): Row {
  const work: Work = { kind: 'load', stored, held };
  const match = { ours: on('ours', 1)(work), peers: [on('read and copy', 1)(work)] };
  return { name, unit: 'ms', goal: 0.6, runs: 1, matches: [match] };
}

/** Against the weights themselves. */
function loadingMemory(name: string, stored: StoredType, held: HeldType): Row {
  const work: Work = { kind: 'load', stored, held };
  const match = { ours: on('ours', 1)(work), peers: [on('read alone', 1)(work)] };
  // 1 / 1.3
  return { name, unit: 'MB more', goal: 0.77, runs: 1, matches: [match] };
}

/** A picture of a camera, for an encoder of 336 pixels. */
const photo: Work = { kind: 'preprocess', width: 4000, height: 3000, edge: 336 };

function tokenizing(name: string, tokenizer: string): Row {
  const work: Work = { kind: 'tokenize', tokenizer, bytes: 1_000_000 };
  // 1 / 1.5
  return {
    name,
    unit: 'ms',
    goal: 0.67,
    matches: [{ ours: on('ours', 1)(work), peers: [on('transformers.js', 1)(work)] }],
  };
}

const product: Work = { kind: 'matmul', size: 1024 };
const heads: Work = { kind: 'attention', heads: 12, length: 577, headSize: 64 };
const eight: Work = { kind: 'vision', model: 'clip-vit-b32', batch: 8 };

/** Everything that is measured without a GPU. */
export const ROWS: readonly Row[] = [
  matmul('matmul-nn'),
  matmul('matmul-nt', 'b'),
  matmul('matmul-tn', 'a'),
  {
    name: 'matmul-threads',
    unit: 'ms',
    goal: 1.8,
    matches: [{ ours: on('ours', 2)(product), peers: [on('ours', 1)(product)] }],
  },
  {
    name: 'attention',
    unit: 'ms',
    goal: 8,
    matches: [{ ours: on('ours', 1)(heads), peers: [on('tfjs', 1)(heads)] }],
  },
  vision('vit-b32-1', 'clip-vit-b32', 1),
  vision('vit-b32-8', 'clip-vit-b32', 8),
  vision('siglip-b16-1', 'siglip-b16', 1),
  {
    name: 'vit-b32-stock',
    unit: 'ms',
    goal: 3.5,
    // A second thread gains stock tfjs nothing.
    matches: [{ ours: on('ours', 2)(eight), peers: [on('tfjs', 1)(eight)] }],
  },
  training('train-stock', 10, 'tfjs'),
  training('train-transposing', 2.2, 'tfjs transposing'),
  training('train-torch-1', 0.38, 'PyTorch', 1),
  training('train-torch-2', 0.38, 'PyTorch', 2),
  projector('train-projector', 1.7, 'projector'),
  projector('train-projector-cached', 2.2, 'projector_cached'),
  decode('decode-f32', 1.2, 'float32'),
  decode('decode-bf16', 1.6, 'bfloat16'),
  decode('decode-q8', 2.8, 'q8'),
  decode('decode-q4', 4, 'q4'),
  generating('generate-f32', 1.2, { unit: 'tokens/s' }, 'float32'),
  generating('generate-q8', 1.5, { unit: 'tokens/s' }, 'q8'),
  generating('first-token', 1.3, { unit: 'ms to first' }, 'float32'),
  generating('generate-memory', 2.5, { unit: 'MB', runs: 2 }, 'float32'),
  { ...training('train-memory', 0.8, 'PyTorch'), unit: 'MB', runs: 4 },
  loading('load-f32', 'F32', 'float32'),
  loading('load-bf16', 'BF16', 'bfloat16'),
  loading('load-bf16-widened', 'BF16', 'float32'),
  loadingMemory('load-memory-f32', 'F32', 'float32'),
  loadingMemory('load-memory-bf16', 'BF16', 'bfloat16'),
  {
    name: 'preprocess-jpeg',
    unit: 'ms',
    // 1 / 1.3
    goal: 0.77,
    matches: [{ ours: on('ours', 1)(photo), peers: [on('sharp and Pillow', 1)(photo)] }],
  },
  tokenizing('tokenize-clip', 'tokenizer-clip-released'),
  tokenizing('tokenize-smollm2', 'tokenizer-smollm2'),
];

/** PyTorch on CUDA, and ours on WebGPU. */
function onGpu(name: string, unit: Unit, work: Work): Row {
  return { name, unit, goal: 0.5, matches: [{ ours: on('ours', 1)(work), peers: [on('PyTorch', 1)(work)] }] };
}

/** What is measured with one. */
export const GPU_ROWS: readonly Row[] = [
  onGpu('matmul-nn', 'ms', product),
  onGpu('matmul-nt', 'ms', { ...product, transpose: 'b' }),
  onGpu('matmul-tn', 'ms', { ...product, transpose: 'a' }),
  onGpu('attention', 'ms', heads),
  onGpu('vit-b32-1', 'ms', { kind: 'vision', model: 'clip-vit-b32', batch: 1 }),
  onGpu('vit-b32-8', 'ms', eight),
  onGpu('siglip-b16-1', 'ms', { kind: 'vision', model: 'siglip-b16', batch: 1 }),
  onGpu('train-torch', 'ms', step('full')),
  onGpu('decode-f32', 'tokens/s', { kind: 'decode', model: SMOLLM2, held: 'float32' }),
];

/**
 * The rows of the given names; `train-torch` stands for all that begin so.
 * @throws Error for a name that is none.
 */
export function selectRows(rows: readonly Row[], names: readonly string[] | undefined): readonly Row[] {
  if (!names) return rows;
  const matching = (name: string) => {
    const exact = rows.filter((row) => row.name === name);
    return exact.length > 0 ? exact : rows.filter((row) => row.name.startsWith(`${name}-`));
  };
  for (const name of names) {
    if (matching(name).length > 0) continue;
    throw new Error(`--only: expected names of ${rows.map((row) => row.name).join(', ')}; got '${name}'`);
  }
  const wanted = new Set(names.flatMap(matching));
  return rows.filter((row) => wanted.has(row));
}
