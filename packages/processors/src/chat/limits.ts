import { fail } from './fail';

/** No template, no text that it makes on the way and no result is longer, in UTF-16 units. */
export const maxTemplateText = 16 * 2 ** 20;
/** All texts that a template makes on the way together. */
const maxTexts = 4 * maxTemplateText;
/** Evaluated expressions, passes through loops and touched elements. A conversation takes some thousand. */
const maxSteps = 4e6;
/** For what is slower than steps tell. */
const maxMilliseconds = 1500;
/** Macros within macros. */
const maxDepth = 100;

/** What is left of the render that goes on now. A render never waits, so there is one at a time. */
let left = { steps: 0, texts: 0, depth: 0, until: 0 };

/** Runs a render with its own allowance. */
export function limited<T>(render: () => T): T {
  const outer = left;
  left = { steps: maxSteps, texts: maxTexts, depth: maxDepth, until: performance.now() + maxMilliseconds };
  try {
    return render();
  } finally {
    left = outer;
  }
}

/** Counts work. @throws TemplateError when there was too much of it. */
export function spend(steps = 1): void {
  left.steps -= steps;
  if (left.steps < 0) fail('limit', `more than ${maxSteps} steps`);
  // The clock is slow to ask.
  if ((left.steps & 1023) < steps && performance.now() > left.until) {
    fail('limit', `more than ${maxMilliseconds} ms`);
  }
}

/** Counts a text before it is made. @throws TemplateError when it, or all of them, are too long. */
export function spendText(length: number): void {
  if (length > maxTemplateText) fail('limit', `a text of more than ${maxTemplateText} characters`);
  left.texts -= length;
  if (left.texts < 0) fail('limit', `more than ${maxTexts} characters of texts on the way`);
  spend(length >> 8);
}

/** Counts a text that was made. */
export function made(text: string): string {
  spendText(text.length);
  return text;
}

/** Texts one behind the other, counted before they are joined. */
export function joinTexts(texts: readonly string[], separator = ''): string {
  const between = separator.length * Math.max(0, texts.length - 1);
  spendText(texts.reduce((sum, text) => sum + text.length, between));
  return texts.join(separator);
}

/** A text so many times, counted before it is made. */
export function repeatText(text: string, times: number): string {
  if (text === '' || times <= 0) return '';
  spendText(text.length * times);
  return text.repeat(times);
}

/** Runs what may call itself. @throws TemplateError when it is too deep. */
export function nested<T>(run: () => T): T {
  if (left.depth-- <= 0) fail('limit', `more than ${maxDepth} macros within each other`);
  try {
    return run();
  } finally {
    left.depth++;
  }
}
