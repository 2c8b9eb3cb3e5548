/**
 * A message as Hugging Face's chat templates take it; templates read further keys, such as `tool_calls`.
 * A part of its content is `{ type: 'text', text }`, `{ type: 'image' }` or `{ type: 'video' }`.
 */
export interface ChatMessage {
  readonly role: string;
  readonly content?: string | null | readonly unknown[];
  readonly [key: string]: unknown;
}

export interface RenderOptions {
  /** End with what comes before an answer of the assistant. Default false. */
  readonly addGenerationPrompt?: boolean;
  /** Leave the last message open, so that generation goes on with it. Not together with `addGenerationPrompt`. */
  readonly continueFinalMessage?: boolean;
  /** JSON schemas of functions that the model may call. */
  readonly tools?: readonly unknown[];
  readonly documents?: readonly unknown[];
  /** The clock of the template's `strftime_now`. Default: the time it is. */
  readonly now?: () => Date;
  /** Further variables of the template; they win over its special tokens. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

export interface RenderedChat {
  readonly text: string;
  /**
   * What the assistant said, `[start, end)` in UTF-16 units, where the template marks it with `{% generation %}`.
   * Absent for a template without the mark.
   */
  readonly generations?: readonly (readonly [start: number, end: number])[];
}
