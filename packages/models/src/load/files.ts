import type { ModelFolder } from '@mmllm/checkpoints';

/** What lies beside the weights and is saved with them as it was. */
const NAMES = [
  'generation_config.json',
  'preprocessor_config.json',
  'processor_config.json',
  'video_preprocessor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
  'chat_template.json',
] as const;

/** The files of a model that are text, by name. */
export async function readFiles(folder: ModelFolder): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of NAMES) {
    const text = await folder.text(name);
    if (text !== undefined) files[name] = text;
  }
  return files;
}

/** What a processor is opened from. */
const OF_PROCESSOR: readonly string[] = [
  'preprocessor_config.json',
  'processor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
];

export const hasProcessorFiles = ({ names }: ModelFolder): boolean =>
  names.some((name) => OF_PROCESSOR.includes(name));
