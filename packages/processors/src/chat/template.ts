import { TemplateError } from '@mmllm/core';
import { cutAtTag, tagEnd } from './continue';
import { toValue } from './convert';
import { fail } from './fail';
import { type Block, parseTemplate } from './jinja/ast';
import { globals } from './jinja/globals';
import { type Rendering, renderBlock } from './jinja/render';
import { Scope } from './jinja/scope';
import { limited } from './limits';
import type { ChatMessage, RenderedChat, RenderOptions } from './message';

/** A chat template of a released model. */
export interface JinjaTemplate {
  readonly source: string;
  /** @throws TemplateError where Python's Jinja raises an error, and for a template that takes too long. */
  render(messages: readonly ChatMessage[], options?: RenderOptions): RenderedChat;
}

/** What transformers looks for, too. */
const generationTag = /\{%-?\s*generation\s*-?%\}/;

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
  const block = parseTemplate(source);
  const isMarked = generationTag.test(source);
  return {
    source,
    render(messages, options = {}) {
      const { continueFinalMessage = false, addGenerationPrompt = false } = options;
      if (messages.length === 0) fail('value', 'the conversation has no messages');
      if (continueFinalMessage && addGenerationPrompt) {
        fail('value', 'a last message cannot be continued after the start of a new one');
      }
      const tagged = continueFinalMessage ? tagEnd(messages) : undefined;
      const { text, generations } = run(block, options.now ?? (() => new Date()), {
        ...specialTokens,
        messages: tagged?.messages ?? messages,
        tools: options.tools ?? null,
        documents: options.documents ?? null,
        add_generation_prompt: addGenerationPrompt,
        ...options.variables,
      });
      if (!tagged) return isMarked ? { text, generations } : { text };
      const cut = cutAtTag(text, tagged.text);
      const within = generations
        .filter(([start]) => start < cut.length)
        .map(([start, end]) => [start, Math.min(end, cut.length)] as const);
      return isMarked ? { text: cut, generations: within } : { text: cut };
    },
  };
}

function run(block: Block, now: () => Date, variables: Readonly<Record<string, unknown>>): Rendering {
  try {
    return limited(() => {
      const scope = new Scope();
      for (const [name, value] of globals(now)) scope.set(name, value);
      for (const [name, value] of Object.entries(variables)) {
        if (value !== undefined) scope.set(name, toValue(value));
      }
      return renderBlock(block, new Scope(scope));
    });
  } catch (error) {
    if (TemplateError.isInstance(error)) throw error;
    // The stack of JavaScript ends, or a text is too long for it.
    if (error instanceof RangeError) return fail('limit', `it nests too deep: ${error.message}`, error);
    throw error;
  }
}
