import { type NameMap, type NameRule, prefixMap } from '@mmllm/checkpoints';
import { blockNames, convNames, plainNames } from '../shared/checkpoint';

/** Its projections are convolutions of one pixel. */
const attentionNames = (ours: string, theirs: string): NameRule[] => [
  ...plainNames(`${ours}.norm`, `${theirs}.norm`),
  ...[
    ['qProj', 'q'],
    ['kProj', 'k'],
    ['vProj', 'v'],
    ['outProj', 'proj_out'],
  ].flatMap(([name, file]) => convNames(`${ours}.attention.${name}`, `${theirs}.${file}`, [1, 1])),
];

/** @param levels, resample what the file calls them */
const stackNames = (half: 'encoder' | 'decoder', levels: string, resample: string): NameRule[] => [
  ...convNames(`${half}.convIn`, `${half}.conv_in`),
  ...blockNames(`${half}.levels.{l}.blocks.{i}`, `${half}.${levels}.{l}.block.{i}`),
  ...attentionNames(`${half}.levels.{l}.attentions.{i}`, `${half}.${levels}.{l}.attn.{i}`),
  ...convNames(`${half}.levels.{l}.resample`, `${half}.${levels}.{l}.${resample}.conv`),
  ...blockNames(`${half}.middle.block1`, `${half}.mid.block_1`),
  ...attentionNames(`${half}.middle.attention`, `${half}.mid.attn_1`),
  ...blockNames(`${half}.middle.block2`, `${half}.mid.block_2`),
  ...plainNames(`${half}.normOut`, `${half}.norm_out`),
  ...convNames(`${half}.convOut`, `${half}.conv_out`),
];

/** As transformers writes `JanusVQVAE`, whose decoder counts its levels from the smallest, as ours does. */
const names: NameMap = {
  rules: [
    ...stackNames('encoder', 'down', 'downsample'),
    ...convNames('quantProj', 'quant_conv', [1, 1]),
    { ours: 'codebook.weight', theirs: 'quantize.embedding.weight' },
    ...convNames('postQuantProj', 'post_quant_conv', [1, 1]),
    ...stackNames('decoder', 'up', 'upsample'),
  ],
};

export const janusVqNames = (prefixes: string | readonly string[]): NameMap =>
  prefixMap(names, { theirs: prefixes });
