import { type ByteSource, checkRange, type ReadIntoOptions, type ReadOptions, readExactly } from '../source';
import { unknownTensor } from '../unknown-tensor';
import type { TensorData } from './dtype';
import { readHeader, type SafetensorsHeader, type TensorSpan } from './header';
import { quote } from './json';

/** An open safetensors file. Only its header is in memory. */
export class SafetensorsFile implements SafetensorsHeader {
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, TensorSpan>;
  readonly #source: ByteSource;

  constructor(source: ByteSource, header: SafetensorsHeader) {
    this.#source = source;
    this.name = source.name;
    this.metadata = header.metadata;
    this.tensors = header.tensors;
  }

  /**
   * Reads one tensor. Its bytes may be a view of the source's memory: do not write to them.
   * @throws CheckpointError for an unknown name or a file that became shorter.
   */
  async read(name: string, options?: ReadOptions): Promise<TensorData> {
    const { dtype, shape, start, end } = this.#span(name);
    return { dtype, shape, data: await readExactly(this.#source, start, end, options) };
  }

  /**
   * Reads bytes `start` to `end` (exclusive) of a tensor. They may be a view of the source's memory or of `into`.
   * @throws CheckpointError as `read`, and for bytes that the tensor does not have.
   */
  async readRange(name: string, start: number, end: number, options?: ReadIntoOptions): Promise<Uint8Array> {
    const span = this.#span(name);
    checkRange({ name: `${this.name} ${quote(name)}`, size: span.end - span.start }, start, end);
    return readExactly(this.#source, span.start + start, span.start + end, options);
  }

  #span(name: string): TensorSpan {
    const span = this.tensors.get(name);
    if (span) return span;
    throw unknownTensor(this.name, name, this.tensors.keys());
  }

  async close(): Promise<void> {
    await this.#source.close?.();
  }
}

/**
 * Opens a safetensors file and checks its header as strictly as the reference library. Takes over the source:
 * `close` closes it, and so does a refusal.
 * @throws CheckpointError
 */
export async function openSafetensors(source: ByteSource, options?: ReadOptions): Promise<SafetensorsFile> {
  try {
    return new SafetensorsFile(source, await readHeader(source, options));
  } catch (error) {
    await source.close?.();
    throw error;
  }
}
