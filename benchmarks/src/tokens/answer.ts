import { loadWeights, type ModelFolder, openModelFolder } from '@mmllm/checkpoints';
import { ggufTokenizer, ggufWeights, openGguf } from '@mmllm/checkpoints/gguf';
import { fileSource, fileStorage } from '@mmllm/checkpoints/node';
import type { Decoder } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { chatTemplateFromFiles, type JsonTokenizer, tokenizerFromJson } from '@mmllm/processors';
import type { Answer } from './compare.ts';

/** A decoder and how it is talked to. */
export interface Chat {
  readonly decoder: Decoder;
  readonly tokenizer: JsonTokenizer;
  readonly template: ReturnType<typeof chatTemplateFromFiles>;
}

/** A Llama in the layout of Hugging Face. */
export async function openFolder(path: string): Promise<Chat> {
  const folder = await openModelFolder(fileStorage(path));
  const decoder = llama(llama.checkpoint.config(await folder.config()));
  await loadWeights(decoder, await folder.weights(), llama.checkpoint.names());
  const text = await textOf(folder);
  await folder.close();
  return { decoder, ...text };
}

/** A Llama of llama.cpp with the template that it brings along, and the tokenizer of a folder. */
export async function openGgufFile(path: string, tokenizerFolder: string): Promise<Chat> {
  const file = await openGguf(await fileSource(path));
  const config = await llama.gguf.config(file);
  const decoder = llama(config);
  await loadWeights(decoder, ggufWeights(file), llama.gguf.names(config));
  const { tokenizer, tokenizerConfig } = await textOf(await openModelFolder(fileStorage(tokenizerFolder)));
  const jinja = ggufTokenizer(file)?.chatTemplate;
  await file.close();
  return { decoder, tokenizer, template: chatTemplateFromFiles({ jinja, tokenizerConfig }) };
}

async function textOf(folder: ModelFolder) {
  const tokenizerConfig = (await folder.json('tokenizer_config.json')) ?? {};
  const tokenizer = tokenizerFromJson((await folder.json('tokenizer.json')) ?? {}, tokenizerConfig);
  const jinja = await folder.text('chat_template.jinja');
  return { tokenizer, tokenizerConfig, template: chatTemplateFromFiles({ jinja, tokenizerConfig }) };
}

/** Greedy tokens after a prompt, also behind an end token. */
export async function answer(
  { decoder, tokenizer, template }: Chat,
  prompt: string,
  count: number,
): Promise<Answer> {
  const { text } = template.render([{ role: 'user', content: prompt }], { addGenerationPrompt: true });
  const ids = tokenizer.encode(text);
  const tokens: number[] = [];
  const inputs = { ids: { data: ids, shape: [1, ids.length] as const } };
  for await (const step of decoder.generate(inputs, { maxNewTokens: count })) tokens.push(step.ids[0]);
  return { ids: [...ids], tokens };
}
