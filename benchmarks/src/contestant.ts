import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Setting } from './engine.ts';
import type { Answer } from './protocol.ts';
import type { Contestant, EngineName } from './rows.ts';

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** Modules of the engines in JavaScript, and what each exports to open it. */
const MODULES: Record<Exclude<EngineName, 'PyTorch'>, readonly [file: string, name: string]> = {
  ours: ['own/engine.ts', 'open'],
  'onnxruntime-web': ['../peers/onnxruntime.mjs', 'open'],
  'onnxruntime-web fused': ['../peers/onnxruntime.mjs', 'openFused'],
  'transformers.js': ['../peers/transformersjs.mjs', 'open'],
  'transformers.js fused': ['../peers/transformersjs.mjs', 'openFused'],
  tfjs: ['../peers/tfjs.mjs', 'open'],
  'tfjs transposing': ['../peers/tfjs.mjs', 'openTransposing'],
  'read and copy': ['../peers/reading.mjs', 'openCopying'],
  'read alone': ['../peers/reading.mjs', 'open'],
  'sharp and Pillow': ['../peers/sharp-pillow.mjs', 'open'],
};

/** For messages. */
export const nameOf = ({ engine, threads }: Contestant): string =>
  `${engine} with ${threads === 1 ? '1 thread' : `${threads} threads`}`;

/** Where everything is that processes need. */
export interface Place {
  readonly backend: Setting['backend'];
  readonly models: string;
  readonly python: string;
}

function commandOf({ engine, work, threads }: Contestant, { backend, models, python }: Place): string[] {
  const given = [work, { backend, threads, models, python } satisfies Setting].map((part) =>
    JSON.stringify(part),
  );
  if (engine === 'PyTorch') return [python, path('../peers/torch_engine.py'), ...given];
  const [file, name] = MODULES[engine];
  return [process.execPath, path('serve.ts'), path(file), name, ...given];
}

/** The process of a contestant, ready to run. */
export class Running {
  readonly contestant: Contestant;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #errors = '';

  private constructor(contestant: Contestant, [program, ...args]: string[]) {
    this.contestant = contestant;
    this.#child = spawn(program, args, {
      stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
      env: { ...process.env, OMP_NUM_THREADS: `${contestant.threads}` },
    });
    this.#child.on('error', (error) => {
      this.#errors += error.message;
    });
    // A process that has died is told of where its answer is missed.
    this.#child.stdin?.on('error', () => {});
    this.#child.stderr?.on('data', (text) => {
      this.#errors = `${this.#errors}${text}`.slice(-2000);
    });
    this.#lines = createInterface({ input: this.#child.stdio[3] as Readable })[Symbol.asyncIterator]();
  }

  /** @throws Error with the end of what the process wrote, if it dies on the way. */
  static async start(contestant: Contestant, place: Place): Promise<Running> {
    const running = new Running(contestant, commandOf(contestant, place));
    await running.#next();
    return running;
  }

  /** @throws Error if the process dies. */
  async run(): Promise<Answer> {
    this.#child.stdin?.write('\n');
    return (await this.#next()) as Answer;
  }

  async stop(): Promise<void> {
    this.#child.stdin?.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }

  async #next(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (!done) return JSON.parse(value);
    throw new Error(`${nameOf(this.contestant)} ended: ${this.#errors.trim()}`);
  }
}
