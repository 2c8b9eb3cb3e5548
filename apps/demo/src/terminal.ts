/** Output for people: one line that is rewritten where a terminal can, a line now and then where it cannot. */
export interface ProgressLine {
  update(text: string): void;
  /** Leaves the last text standing. */
  end(): void;
}

const plainInterval = 5_000;

export function progressLine(stream: NodeJS.WriteStream = process.stdout): ProgressLine {
  let last = '';
  let printed = '';
  let printedAt = Number.NEGATIVE_INFINITY;
  const plain = () => {
    stream.write(`${last}\n`);
    printed = last;
    printedAt = performance.now();
  };
  return {
    update(text) {
      last = text;
      if (stream.isTTY) stream.write(`\r\u001b[2K${text.slice(0, (stream.columns ?? 80) - 1)}`);
      else if (performance.now() - printedAt > plainInterval) plain();
    },
    end() {
      if (stream.isTTY) stream.write('\n');
      else if (last !== printed) plain();
    },
  };
}

/** 75 → `1:15`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

export const percent = ({ right, total }: { right: number; total: number }): string =>
  `${((100 * right) / Math.max(1, total)).toFixed(2)} %`;
