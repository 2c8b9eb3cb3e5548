import { type CheckpointError, WeightError } from '@mmllm/core';
import { nearest } from '../nearest';

const MAX_LISTED = 10;

/** Collects misfits by kind, so that one error names them all. */
export class Problems {
  readonly #kinds = new Map<string, string[]>();

  add(kind: string, text: string): void {
    const texts = this.#kinds.get(kind);
    if (texts) texts.push(text);
    else this.#kinds.set(kind, [text]);
  }

  /** A parameter without a tensor, with the key that looks like a misspelling of the one it wants. */
  addMissing(path: string, key: string | undefined, unexpected: readonly string[]): void {
    const listed = (this.#kinds.get('missing')?.length ?? 0) < MAX_LISTED;
    const near = key !== undefined && listed ? nearest(key, unexpected) : undefined;
    const wanted =
      key === undefined ? 'no rule names it' : near ? `'${key}'; there is '${near}'` : `'${key}'`;
    this.add('missing', `${path} (${wanted})`);
  }

  /** @throws WeightError, or the kind that is given. */
  throwIfAny(
    component: string,
    expected: string,
    Kind: typeof WeightError | typeof CheckpointError = WeightError,
  ): void {
    if (this.#kinds.size === 0) return;
    const kinds = [...this.#kinds].map(([kind, texts]) => {
      const more = texts.length > MAX_LISTED ? `, and ${texts.length - MAX_LISTED} more` : '';
      return `${texts.length} ${kind}: ${texts.slice(0, MAX_LISTED).map(clip).join(', ')}${more}`;
    });
    throw new Kind({ component, expected, actual: kinds.join('; ') });
  }
}

/** Files decide the length of names. */
const clip = (text: string): string => (text.length > 300 ? `${text.slice(0, 299)}…` : text);
