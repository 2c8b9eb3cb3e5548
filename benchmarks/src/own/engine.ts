import { startBackend } from '@mmllm/backends';
import type { OpenEngine } from '../engine.ts';
import { openAttention } from './attention.ts';
import { openDecode } from './decode.ts';
import { openLoad } from './load.ts';
import { openMatmul } from './matmul.ts';
import { openPreprocess } from './preprocess.ts';
import { openTokenize } from './tokenize.ts';
import { openTrain } from './train.ts';
import { openVision } from './vision.ts';

/** Our packages, used as anybody would. */
export const open: OpenEngine = async (work, setting) => {
  const { backend, threads } = setting;
  const options = { backend, threads };
  await startBackend(options);
  switch (work.kind) {
    case 'matmul':
      return openMatmul(work);
    case 'attention':
      return openAttention(work);
    case 'vision':
      return openVision(work, setting);
    case 'decode':
      return openDecode(work, setting);
    case 'train':
      return openTrain(work, setting);
    case 'load':
      return openLoad(work);
    case 'preprocess':
      return openPreprocess(work);
    case 'tokenize':
      return openTokenize(work);
  }
};
