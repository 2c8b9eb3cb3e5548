import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MmllmError } from '../../packages/core/src/index';

/** What a damaged file may take. */
const MAX_MILLISECONDS = 2000;
/** Times what the undamaged file takes. */
const MAX_MEMORY_RATIO = 2;
/** An error with its stack, and what the measuring itself leaves behind. */
const SPARE_BYTES = 1 << 20;

export interface MutationTest {
  /** Names of the undamaged files, and what is to be done with each of them. */
  readonly originals: Readonly<Record<string, () => unknown>>;
  /** The original that a seed damages. */
  originalOf(seed: number): string;
  /** What every file may take beside that, where small files may say much. Default: a megabyte. */
  readonly spareBytes?: number;
  /**
   * Does the same with the file of this seed, checks what comes out, and throws what the code under test throws. If the
   * damage makes the file stand for something larger, it returns how many times larger than the original.
   */
  attempt(seed: number): number | undefined | Promise<number | undefined>;
}

export interface Outcomes {
  /** Files that were refused with a typed error. */
  refused: number;
  /** Files that gave a right result. */
  read: number;
}

/**
 * Tries the damaged files of seeds 0 to `count`. Each must give a right result or an error of ours, within two seconds
 * and in at most twice the memory that the undamaged file takes.
 * @throws Error naming the seed
 */
export async function tryMutations(count: number, test: MutationTest): Promise<Outcomes> {
  const allowed = new Map<string, number>();
  const { spareBytes: spare = SPARE_BYTES } = test;
  for (const [name, run] of Object.entries(test.originals)) {
    // The first run compiles; of the others, the one that takes the most.
    const runs = [];
    for (let i = 0; i < 6; i++) runs.push(await measure(run));
    const failed = runs.find(({ error }) => error !== undefined);
    if (failed) throw new Error(`${name} itself is refused`, { cause: failed.error });
    allowed.set(name, MAX_MEMORY_RATIO * Math.max(...runs.slice(1).map(({ bytes }) => bytes)) + spare);
  }
  const outcomes = { refused: 0, read: 0 };
  for (let seed = 0; seed < count; seed++) {
    const { result: growth = 1, error, milliseconds, bytes } = await measure(() => test.attempt(seed));
    checkError(error, seed);
    const limit = allowed.get(test.originalOf(seed))! * Math.max(1, growth);
    if (milliseconds > MAX_MILLISECONDS) throw new Error(`seed ${seed} takes ${Math.round(milliseconds)} ms`);
    if (bytes > limit) throw new Error(`seed ${seed} takes ${bytes} bytes of memory, of ${limit} allowed`);
    outcomes[error === undefined ? 'read' : 'refused']++;
  }
  return outcomes;
}

/** Errors are typed, and no longer than a person reads, whatever names the file has. */
function checkError(error: unknown, seed: number): void {
  if (error === undefined) return;
  if (!MmllmError.isInstance(error)) throw new Error(`seed ${seed} throws ${error}`, { cause: error });
  if (error.message.length > 1000) throw new Error(`seed ${seed} throws ${error.message.length} characters`);
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as (options: { type: 'minor' }) => void;

interface Measured<T> {
  readonly result?: T;
  readonly error?: unknown;
  readonly milliseconds: number;
  readonly bytes: number;
}

/**
 * Runs something, and keeps what it gives or throws. The bytes are those of all objects and buffers that it makes, as long as nothing
 * is collected meanwhile: the heap's young half, emptied before, holds 16 MB.
 */
async function measure<T>(run: () => T): Promise<Measured<Awaited<T>>> {
  collectGarbage({ type: 'minor' });
  const before = usedBytes();
  const started = performance.now();
  let [result, error]: [Awaited<T>?, unknown?] = [];
  try {
    result = await run();
  } catch (thrown) {
    error = thrown;
  }
  const milliseconds = performance.now() - started;
  return { result, error, milliseconds, bytes: usedBytes() - before };
}

function usedBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
