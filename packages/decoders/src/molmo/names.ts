import type { NameMap, NameRule } from '@mmllm/checkpoints';
import { type MolmoConfig, parseMolmo } from './config';

const theirs = 'model.transformer.blocks.{i}';

/** Linear layers whose rows lie one below the other in one projection. @param sizes rows of each */
function jointNames(joint: string, sizes: Readonly<Record<string, number>>): NameRule[] {
  let end = 0;
  return Object.entries(sizes).flatMap(([ours, size]): NameRule[] => {
    end += size;
    const rows = [end - size, end] as const;
    return [
      { ours: `layers.{i}.${ours}.weight`, theirs: `${theirs}.${joint}.weight`, layout: 'linear', rows },
      { ours: `layers.{i}.${ours}.bias`, theirs: `${theirs}.${joint}.bias`, rows },
    ];
  });
}

const weight = (ours: string, name: string, layout?: 'linear'): NameRule => ({
  ours: `layers.{i}.${ours}.weight`,
  theirs: `${theirs}.${name}.weight`,
  layout,
});

/** The table, with the rows of tokens that are never predicted in a tensor of their own. */
function tableNames(vocabSize: number, numExtra: number): NameRule[] {
  const name = 'model.transformer.wte';
  const ours = 'embedTokens.weight';
  if (numExtra === 0) return [{ ours, theirs: `${name}.embedding` }];
  return [
    { ours, theirs: `${name}.embedding`, ourRows: [0, vocabSize] },
    { ours, theirs: `${name}.new_embedding`, ourRows: [vocabSize, vocabSize + numExtra] },
  ];
}

/** The names of allenai's `MolmoForCausalLM`. */
export function molmoNames(config: MolmoConfig): NameMap {
  const { vocabSize, numExtraEmbeddings, hiddenSize, numHeads, intermediateSize, ...parsed } =
    parseMolmo(config);
  const headSize = parsed.headSize ?? hiddenSize / numHeads;
  const keyWidth = (parsed.numKeyValueHeads ?? numHeads) * headSize;
  return {
    rules: [
      ...tableNames(vocabSize, numExtraEmbeddings),
      weight('attentionNorm', 'attn_norm'),
      ...jointNames('att_proj', {
        'selfAttention.qProj': numHeads * headSize,
        'selfAttention.kProj': keyWidth,
        'selfAttention.vProj': keyWidth,
      }),
      weight('selfAttention.qNorm', 'q_norm'),
      weight('selfAttention.kNorm', 'k_norm'),
      weight('selfAttention.outProj', 'attn_out', 'linear'),
      weight('mlpNorm', 'ff_norm'),
      // The second half is the gate.
      ...jointNames('ff_proj', { 'mlp.upProj': intermediateSize, 'mlp.gateProj': intermediateSize }),
      weight('mlp.downProj', 'ff_out', 'linear'),
      { ours: 'norm.weight', theirs: 'model.transformer.ln_f.weight' },
      { ours: 'head.weight', theirs: 'model.transformer.ff_out.weight', layout: 'linear' },
    ],
  };
}
