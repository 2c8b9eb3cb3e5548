import { quote } from '../safetensors/json';
import { type ByteSource, checkRange, type ReadIntoOptions, type ReadOptions, readExactly } from '../source';
import { unknownTensor } from '../unknown-tensor';
import { type GgufHeader, readGgufHeader } from './header';
import { type GgufMetadata, type GgufValue, metadataValue } from './metadata';
import type { GgufSpan, GgufTensor } from './types';

/** An open GGUF file. Only its header is in memory. */
export class GgufFile implements GgufHeader {
  readonly name: string;
  readonly metadata: GgufMetadata;
  readonly tensors: ReadonlyMap<string, GgufSpan>;
  /** Family of the model, such as `llama`; undefined if the file does not say. */
  readonly architecture?: string;
  readonly #source: ByteSource;

  constructor(source: ByteSource, { metadata, tensors }: GgufHeader) {
    this.#source = source;
    this.name = source.name;
    this.metadata = metadata;
    this.tensors = tensors;
    this.architecture = metadataValue(this, 'general.architecture', 'text');
  }

  /** The entries of the architecture without its name in front, such as `block_count`. */
  get hyperparameters(): Readonly<Record<string, GgufValue>> {
    const prefix = `${this.architecture}.`;
    const entries = [...this.metadata].filter(([key]) => key.startsWith(prefix));
    return Object.fromEntries(entries.map(([key, { value }]) => [key.slice(prefix.length), value]));
  }

  /**
   * Reads one tensor as stored, its blocks not yet numbers. Its bytes may be a view of the source's memory: do not
   * write to them.
   * @throws CheckpointError for an unknown name or a file that became shorter.
   */
  async read(name: string, options?: ReadOptions): Promise<GgufTensor> {
    const { type, shape, start, end } = this.span(name);
    return { type, shape, data: await readExactly(this.#source, start, end, options) };
  }

  /**
   * The same for rows `start` to `end` (exclusive) of the first axis; a scalar is one row. The bytes may be a view of
   * `into`.
   * @throws CheckpointError as `read`, and for rows that the tensor does not have.
   */
  async readRows(name: string, start: number, end: number, options?: ReadIntoOptions): Promise<GgufTensor> {
    const { type, shape, ...span } = this.span(name);
    const [rows = 1, ...row] = shape;
    const size = span.end - span.start;
    const [from, to] = [start, end].map((at) => (at * size) / rows) as [number, number];
    checkRange({ name: `${this.name} ${quote(name)}`, size }, from, to);
    const data = await readExactly(this.#source, span.start + from, span.start + to, options);
    return { type, shape: [end - start, ...row], data };
  }

  /** @throws CheckpointError for an unknown name. */
  span(name: string): GgufSpan {
    const span = this.tensors.get(name);
    if (span) return span;
    throw unknownTensor(this.name, name, this.tensors.keys());
  }

  async close(): Promise<void> {
    await this.#source.close?.();
  }
}

/**
 * Opens a GGUF file, version 2 or 3, little-endian, and checks its header as strictly as ggml does. Takes over the
 * source: `close` closes it, and so does a refusal.
 * @throws CheckpointError
 */
export async function openGguf(source: ByteSource, options?: ReadOptions): Promise<GgufFile> {
  try {
    return new GgufFile(source, await readGgufHeader(source, options));
  } catch (error) {
    await source.close?.();
    throw error;
  }
}
