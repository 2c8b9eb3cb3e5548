import { type ByteSource, type ReadOptions, readExactly } from '../source';
import { unknownTensor } from '../unknown-tensor';
import type { TensorData } from './dtype';
import { readHeader, type SafetensorsHeader, type TensorSpan } from './header';

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
    const span = this.tensors.get(name);
    if (!span) throw unknownTensor(this.name, name, this.tensors.keys());
    const data = await readExactly(this.#source, span.start, span.end, options);
    return { dtype: span.dtype, shape: span.shape, data };
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
