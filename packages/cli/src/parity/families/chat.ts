import type { JsonObject } from '@mmllm/checkpoints';
import { CheckpointError, TemplateError } from '@mmllm/core';
import {
  assistantMask,
  type ChatMessage,
  chatTemplateFromFiles,
  type JinjaTemplate,
  type JsonTokenizer,
  type RenderedChat,
  tokenizerFromJson,
} from '@mmllm/processors';
import type { ParityCase } from '../case';
import type { ParityFamily } from '.';

/** Conversations as text, as ids, with the mask of what the assistant said, or the error of the template. */
export const chat: ParityFamily = async (golden, comparison) => {
  const { folder, lines, description } = golden;
  const tokenizerConfig = await folder.json('tokenizer_config.json');
  const template = chatTemplateFromFiles({
    jinja: await folder.text('chat_template.jinja'),
    tokenizerConfig,
  });
  const tokenizer = tokenizerFromJson(await tokenizerJson(golden), tokenizerConfig);
  const now = () => new Date(`${description.clock}T00:00`);
  lines.forEach((line, i) => {
    for (const [key, actual] of Object.entries(results(line, template, tokenizer, now))) {
      if (key in line || key === 'error') comparison.giveJson(`${i}.${key}`, actual, line[key]);
    }
  });
};

/** Of the case, or of the tokenizer's own where that is a large one. */
async function tokenizerJson({ family, name, folder, sibling }: ParityCase): Promise<JsonObject> {
  const own = await folder.json('tokenizer.json');
  if (own) return own;
  const other = family.replace(/^chat-/, 'tokenizer-');
  const json = await (await sibling(other)).json('tokenizer.json');
  if (json) return json;
  const expected = `tokenizer.json in the case, or in ${other} beside it`;
  throw new CheckpointError({ component: name, expected, actual: 'neither' });
}

function results(
  line: JsonObject,
  template: JinjaTemplate,
  tokenizer: JsonTokenizer,
  now: () => Date,
): JsonObject {
  const { tools, ...variables } = (line.kwargs ?? {}) as { readonly tools?: readonly unknown[] };
  let rendered: RenderedChat;
  try {
    rendered = template.render(line.messages as ChatMessage[], {
      addGenerationPrompt: line.add_generation_prompt === true,
      continueFinalMessage: line.continue_final_message === true,
      tools,
      variables,
      now,
    });
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { error: pythonError(error) };
  }
  const { ids, offsets } = tokenizer.encoding(rendered.text, { addSpecialTokens: false });
  return {
    rendered: rendered.text,
    ids: [...ids],
    assistant_mask: [...assistantMask(rendered, offsets)],
  };
}

/** As the cases name errors: the words of the template's own, else the class alone. */
function pythonError({ kind, reason }: TemplateError): string {
  if (kind === 'raised') return `TemplateError: ${reason}`;
  return { undefined: 'UndefinedError', type: 'TypeError' }[kind as string] ?? kind;
}
