/** What transformers answers to a prompt. */
export interface Expected {
  readonly prompt: string;
  /** Of the prompt in the chat's format. */
  readonly ids: readonly number[];
  /** The greedy tokens after it. */
  readonly tokens: readonly number[];
  /** How far the logit of each is above that of the second. */
  readonly margins: readonly number[];
}

/** What ours made of it. */
export interface Answer {
  readonly ids: readonly number[];
  readonly tokens: readonly number[];
}

/** How many tokens are equal before the first that is not; −1 where the prompts already differ. */
export function agreement(expected: Expected, { ids, tokens }: Answer): number {
  if (firstDifference(expected.ids, ids) >= 0) return -1;
  const first = firstDifference(expected.tokens, tokens);
  return first < 0 ? expected.tokens.length : first;
}

function firstDifference(expected: readonly number[], actual: readonly number[]): number {
  const at = expected.findIndex((id, i) => id !== actual[i]);
  return at < 0 && actual.length > expected.length ? expected.length : at;
}

/** A line of the table; where tokens differ, with the margin by which transformers chose its own. */
export function describe(expected: Expected, answer: Answer): string {
  const equal = agreement(expected, answer);
  const [count, length] = [expected.tokens.length, expected.ids.length];
  const short = expected.prompt.length > 50 ? `${expected.prompt.slice(0, 49)}…` : expected.prompt;
  const line = `${short.padEnd(50)} ${String(length).padStart(4)} ids  `;
  if (equal < 0) return `${line}the ids differ: got ${answer.ids.join(' ')}`;
  if (equal === count) return `${line}${equal} of ${count} tokens equal`;
  const [wanted, got] = [expected.tokens[equal], answer.tokens[equal]];
  const margin = expected.margins[equal].toExponential(1);
  return `${line}token ${equal} of ${count} is ${got}, not ${wanted}, whose logit is ${margin} above the second`;
}
