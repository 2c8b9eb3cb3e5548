import { fail } from '../chat/fail';
import type { ChatMessage, RenderOptions } from '../chat/message';
import type { JinjaTemplate } from '../chat/template';
import type { HostArray } from '../host-array';
import type { Encoding } from '../tokenizer/encoding';

/** A stretch of text, [start, end) in UTF-16 units. */
export type Span = readonly [number, number];

/** What labels hold where nothing counts. */
const ignored = -100;

/**
 * int32[B, T]: 1 for tokens that overlap one of the spans of their text. Tokens of no width, such as padding, never do.
 * @param encodings without padding, one for each row
 */
export function assistantMasks(
  { shape }: HostArray<Int32Array>,
  encodings: readonly Encoding[],
  spans: readonly (readonly Span[])[],
  paddingSide: 'left' | 'right',
): HostArray<Int32Array> {
  const [batch, length] = shape;
  const data = new Int32Array(batch * length);
  encodings.forEach(({ offsets }, b) => {
    const count = offsets.length / 2;
    const row = b * length + (paddingSide === 'left' ? length - count : 0);
    for (let i = 0; i < count; i++) {
      const [start, end] = [offsets[2 * i], offsets[2 * i + 1]];
      if (spans[b].some((span) => start < span[1] && end > span[0])) data[row + i] = 1;
    }
  });
  return { data, shape };
}

/** int32[B, T]: the ids that are masked, elsewhere −100. Not shifted: a model predicts each from those before it. */
export function labelsOf(ids: HostArray<Int32Array>, mask: HostArray<Int32Array>): HostArray<Int32Array> {
  return { shape: ids.shape, data: ids.data.map((id, i) => (mask.data[i] === 0 ? ignored : id)) };
}

/**
 * What the assistant says in a conversation, for a template that does not mark it: for each answer, what is rendered
 * beyond the prompt that asks for it.
 *
 * @throws TemplateError where the template renders an answer in another way than as a continuation of its prompt.
 */
export function answerSpans(
  template: JinjaTemplate,
  messages: readonly ChatMessage[],
  options: RenderOptions,
): Span[] {
  const whole = template.render(messages, { ...options, addGenerationPrompt: false }).text;
  return messages.flatMap(({ role }, i): Span[] => {
    if (role !== 'assistant') return [];
    const prompt = template.render(messages.slice(0, i), { ...options, addGenerationPrompt: true }).text;
    const answered = template.render(messages.slice(0, i + 1), {
      ...options,
      addGenerationPrompt: false,
    }).text;
    if (whole.startsWith(answered) && answered.startsWith(prompt)) return [[prompt.length, answered.length]];
    const hint = 'mark what the assistant says with {% generation %} and {% endgeneration %}';
    return fail('value', `the text before the answer of messages[${i}] depends on the answer; ${hint}`);
  });
}
