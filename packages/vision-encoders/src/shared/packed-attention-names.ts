import type { NameRule } from '@mmllm/checkpoints';
import { linearNames } from './names';

/** An attention whose query, key and value are one projection, as `torch.nn.MultiheadAttention` packs them. */
export function packedAttentionNames(ours: string, theirs: string, hiddenSize: number): NameRule[] {
  const packed = ['qProj', 'kProj', 'vProj'].flatMap((projection, part): NameRule[] => {
    const rows = [part * hiddenSize, (part + 1) * hiddenSize] as const;
    return [
      { ours: `${ours}.${projection}.weight`, theirs: `${theirs}.in_proj_weight`, layout: 'linear', rows },
      { ours: `${ours}.${projection}.bias`, theirs: `${theirs}.in_proj_bias`, rows },
    ];
  });
  return [...packed, ...linearNames(`${ours}.outProj`, `${theirs}.out_proj`)];
}
