/**
 * The rows of an image, one by one, with their filters undone (https://www.w3.org/TR/png-3/#9Filters). Nothing beyond
 * them is decompressed, whatever the stream holds.
 */
export class RowReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array();

  constructor(compressed: readonly Uint8Array[]) {
    const parts = compressed.map((part) => part.slice());
    const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream('deflate'));
    this.#reader = stream.getReader();
  }

  /** Fills a row, which may be a promise: only where the next bytes are not there yet. @throws Error if there are none. */
  async #fill(target: Uint8Array): Promise<void> {
    for (let at = 0; at < target.length; ) {
      if (this.#chunk.length === 0) {
        const { value, done } = await this.#reader.read();
        if (done) throw new Error('its pixels are cut short');
        this.#chunk = value;
      }
      const part = this.#chunk.subarray(0, target.length - at);
      target.set(part, at);
      at += part.length;
      this.#chunk = this.#chunk.subarray(part.length);
    }
  }

  /**
   * Reads an image of so many rows.
   * @param step bytes from a sample to the same of the next pixel, at least 1.
   */
  async read(rows: number, rowBytes: number, step: number, use: (row: Uint8Array, y: number) => void) {
    let [current, above] = [new Uint8Array(1 + rowBytes), new Uint8Array(1 + rowBytes)];
    for (let y = 0; y < rows; y++) {
      await this.#fill(current);
      const row = current.subarray(1);
      unfilter(current[0], row, above.subarray(1), step);
      use(row, y);
      [current, above] = [above, current];
    }
  }

  /** What is left is of no use. */
  async close(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }
}

function unfilter(type: number, row: Uint8Array, above: Uint8Array, step: number): void {
  const { length } = row;
  switch (type) {
    case 0:
      return;
    case 1:
      for (let i = step; i < length; i++) row[i] += row[i - step];
      return;
    case 2:
      for (let i = 0; i < length; i++) row[i] += above[i];
      return;
    case 3:
      for (let i = 0; i < length; i++) row[i] += ((i < step ? 0 : row[i - step]) + above[i]) >> 1;
      return;
    case 4:
      for (let i = 0; i < length; i++) {
        row[i] += i < step ? above[i] : paeth(row[i - step], above[i], above[i - step]);
      }
      return;
    default:
      throw new Error(`an unknown filter: ${type}`);
  }
}

/** The one of the three that is closest to left + above − corner. */
function paeth(left: number, above: number, corner: number): number {
  const fromLeft = Math.abs(above - corner);
  const fromAbove = Math.abs(left - corner);
  const fromCorner = Math.abs(left + above - 2 * corner);
  if (fromLeft <= fromAbove && fromLeft <= fromCorner) return left;
  return fromAbove <= fromCorner ? above : corner;
}
