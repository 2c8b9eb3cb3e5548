import type { FusionFactory } from '@mmllm/core';
import { type UnifiedOptions, unified } from '@mmllm/fusion-unified';
import type { Wired } from './wired';

/** Method A. @param newline the name of its newline in the file, where it has one */
export const inText = (options?: UnifiedOptions, newline?: string): Wired<FusionFactory> => ({
  part: unified(options),
  names: { rules: newline ? [{ ours: 'newline', theirs: newline }] : [] },
});
