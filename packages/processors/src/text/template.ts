import type { Message } from '@mmllm/core';

export interface TemplateOptions {
  /** End with what comes before an answer of the assistant. */
  readonly addGenerationPrompt: boolean;
  /** What an image part becomes. */
  readonly imageToken: string;
}

/** Renders a conversation as the text that the model was, or will be, trained on. */
export type ChatTemplate = (messages: readonly Message[], options: TemplateOptions) => string;

/**
 * The role and a colon on a line of their own, then the content; parts of the content on lines of their own:
 *
 * ```text
 * user:
 * <image>
 * What is this?
 * assistant:
 * ```
 */
export const plainTemplate: ChatTemplate = (messages, { addGenerationPrompt, imageToken }) => {
  const lines = messages.flatMap(({ role, content }) => {
    if (typeof content === 'string') return [`${role}:`, content];
    return [`${role}:`, ...content.map((part) => (part.type === 'image' ? imageToken : part.text))];
  });
  if (addGenerationPrompt) lines.push('assistant:');
  return lines.map((line) => `${line}\n`).join('');
};
