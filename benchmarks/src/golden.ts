import { join } from 'node:path';
import type { Expected } from './check.ts';
import type { Work } from './engine.ts';
import { readTensors } from './files.ts';

/** What PyTorch gave when the models were made; nothing for work without a model. */
export async function goldenOutput(work: Work, models: string): Promise<Expected | undefined> {
  if (!('model' in work)) return undefined;
  const golden = await readTensors(join(models, work.model, 'golden.safetensors'));
  switch (work.kind) {
    case 'vision': {
      const output = work.model.startsWith('clip') ? 'image_embeds' : 'pooler_output';
      const { data, shape } = golden(output);
      return { values: data.subarray(0, (data.length / shape[0]) * work.batch) };
    }
    case 'decode':
      return { values: golden('logits').data, tokens: golden('tokens').data };
    case 'train':
      return { values: golden(work.stage).data };
  }
}
