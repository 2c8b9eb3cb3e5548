import type { NameRule } from '@mmllm/checkpoints';
import { linearNames } from './names';

/**
 * Query, key and value whose rows lie one below the other in one projection.
 * @param theirs what stands in the file before `weight` and `bias`.
 * @param width rows of each.
 */
export const packedProjectionNames = (ours: string, theirs: string, width: number): NameRule[] =>
  ['qProj', 'kProj', 'vProj'].flatMap((projection, part): NameRule[] => {
    const rows = [part * width, (part + 1) * width] as const;
    return [
      { ours: `${ours}.${projection}.weight`, theirs: `${theirs}weight`, layout: 'linear', rows },
      { ours: `${ours}.${projection}.bias`, theirs: `${theirs}bias`, rows },
    ];
  });

/** An attention as `torch.nn.MultiheadAttention` packs it. */
export const packedAttentionNames = (ours: string, theirs: string, hiddenSize: number): NameRule[] => [
  ...packedProjectionNames(ours, `${theirs}.in_proj_`, hiddenSize),
  ...linearNames(`${ours}.outProj`, `${theirs}.out_proj`),
];
