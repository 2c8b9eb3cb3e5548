/** Work that is started by its first reader, runs once, and gives all its pieces to every reader. */
export class Replay<Piece, Result> {
  readonly #work: (emit: (piece: Piece) => void) => Promise<Result>;
  readonly #pieces: Piece[] = [];
  #running: Promise<Result> | undefined;
  #wake = () => {};
  #next = this.#waiting();

  constructor(work: (emit: (piece: Piece) => void) => Promise<Result>) {
    this.#work = work;
  }

  result(): Promise<Result> {
    this.#running ??= this.#work((piece) => {
      this.#pieces.push(piece);
      const wake = this.#wake;
      this.#next = this.#waiting();
      wake();
    });
    return this.#running;
  }

  /** What `view` makes of each piece, without those that it makes nothing of. */
  pieces<T>(view: (piece: Piece) => T | undefined): AsyncIterable<T> {
    const replay = this;
    return {
      async *[Symbol.asyncIterator]() {
        const done = replay.result().then(() => {});
        done.catch(() => {});
        let finished = false;
        for (let i = 0; !finished || i < replay.#pieces.length; ) {
          if (i < replay.#pieces.length) {
            const seen = view(replay.#pieces[i++]!);
            if (seen !== undefined) yield seen;
          } else finished = await Promise.race([replay.#next.then(() => false), done.then(() => true)]);
        }
      },
    };
  }

  #waiting(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
