import { fail } from './fail';
import type { ChatMessage } from './message';
import { strip, stripEnd } from './python/whitespace';

/** Put behind the text to continue; what the template sets behind it is cut off. The blank tells whether it trims. */
const tag = 'CONTINUE_FINAL_MESSAGE_TAG ';

/** A conversation with a tag at its end, and the text before the tag. */
export interface Tagged {
  readonly messages: readonly ChatMessage[];
  readonly text: string;
}

/**
 * Tags the last text of the last message, as `continue_final_message` of transformers does (utils/chat_template_utils.py).
 * @throws TemplateError if there is none.
 */
export function tagEnd(messages: readonly ChatMessage[]): Tagged {
  const last = messages[messages.length - 1];
  const replaced = (content: ChatMessage['content']) => [...messages.slice(0, -1), { ...last, content }];
  const { content } = last;
  if (typeof content === 'string') return { messages: replaced(content + tag), text: content };
  const parts: readonly unknown[] = content ?? [];
  for (let i = parts.length - 1; i >= 0; i--) {
    const part = parts[i] as Record<string, unknown> | null;
    if (typeof part?.text !== 'string') continue;
    const tagged = [...parts.slice(0, i), { ...part, text: part.text + tag }, ...parts.slice(i + 1)];
    return { messages: replaced(tagged), text: part.text };
  }
  return fail('value', 'the last message has no text to continue');
}

/**
 * The rendered text up to the tag.
 * @throws TemplateError if the template leaves out what should be continued.
 */
export function cutAtTag(rendered: string, text: string): string {
  const at = rendered.lastIndexOf(strip(tag));
  if (at < 0 || !rendered.includes(strip(text))) {
    fail('value', 'the last message cannot be continued, because the template does not render all of it');
  }
  const before = rendered.slice(0, at);
  return rendered.startsWith(tag, at) ? before : stripEnd(before);
}
