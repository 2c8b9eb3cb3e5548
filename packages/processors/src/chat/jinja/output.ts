import { fail } from '../fail';
import { maxTemplateText, spend } from '../limits';

/** Text as it is written, piece by piece. */
export class Output {
  readonly #pieces: string[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  write(text: string): void {
    this.#length += text.length;
    if (this.#length > maxTemplateText) fail('limit', `a text of more than ${maxTemplateText} characters`);
    spend();
    this.#pieces.push(text);
  }

  toString(): string {
    return this.#pieces.join('');
  }
}
