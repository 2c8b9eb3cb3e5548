import { Template } from '@huggingface/jinja';
import { cutAtTag, tagEnd } from './continue';
import { fail } from './fail';
import type { ChatMessage, RenderedChat, RenderOptions } from './message';

/** A chat template of a released model. */
export interface JinjaTemplate {
  readonly source: string;
  /** @throws TemplateError where Python's Jinja raises an error, and for a template that takes too long. */
  render(messages: readonly ChatMessage[], options?: RenderOptions): RenderedChat;
}

/**
 * Opens a Jinja chat template. It renders as transformers' `apply_chat_template` does.
 *
 * @param specialTokens what the template sees as `bos_token`, `eos_token` and so on.
 * @throws TemplateError for a text that is no template.
 */
export function jinjaTemplate(
  source: string,
  specialTokens: Readonly<Record<string, string>> = {},
): JinjaTemplate {
  const template = new Template(source);
  return {
    source,
    render(messages, options = {}) {
      const { continueFinalMessage = false, addGenerationPrompt = false } = options;
      if (messages.length === 0) fail('value', 'the conversation has no messages');
      if (continueFinalMessage && addGenerationPrompt) {
        fail('value', 'a last message cannot be continued after the start of a new one');
      }
      const tagged = continueFinalMessage ? tagEnd(messages) : undefined;
      const text = template.render({
        ...specialTokens,
        messages: tagged?.messages ?? messages,
        tools: options.tools ?? null,
        documents: options.documents ?? null,
        add_generation_prompt: addGenerationPrompt,
        ...options.variables,
      });
      return { text: tagged ? cutAtTag(text, tagged.text) : text };
    },
  };
}
