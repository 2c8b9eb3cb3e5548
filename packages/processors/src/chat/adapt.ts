import type { Message } from '@mmllm/core';
import type { ChatTemplate } from '../text/template';
import type { ChatMessage } from './message';
import type { JinjaTemplate } from './template';

/**
 * A template of a released model, for `textAndImages`. It sees that there are pictures, not the pictures; which token
 * stands for one is its own affair, and the token that the processor looks for is there as `image_token`.
 */
export function fromJinja(template: JinjaTemplate): ChatTemplate {
  return (messages, { addGenerationPrompt, imageToken }) =>
    template.render(messages.map(withoutPictures), {
      addGenerationPrompt,
      variables: { image_token: imageToken },
    }).text;
}

function withoutPictures({ role, content }: Message): ChatMessage {
  if (typeof content === 'string') return { role, content };
  return { role, content: content.map((part) => (part.type === 'image' ? { type: 'image' } : part)) };
}
