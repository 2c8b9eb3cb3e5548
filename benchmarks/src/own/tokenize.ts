import { tokenizerFromJson } from '@mmllm/processors';
import type { Engine, Work } from '../engine.ts';
import { mixedText } from '../mixed-text.ts';
import { readTokenizer } from '../tokenizer-files.ts';

export async function openTokenize(work: Extract<Work, { kind: 'tokenize' }>): Promise<Engine> {
  const tokenizer = tokenizerFromJson(...readTokenizer(work.tokenizer));
  const text = mixedText(work.bytes);
  return {
    async run() {
      const ids = tokenizer.encode(text);
      return { values: () => ids };
    },
  };
}
