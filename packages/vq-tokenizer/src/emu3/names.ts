import { type NameMap, type NameRule, prefixMap } from '@mmllm/checkpoints';
import { blockNames, convNames, linearNames, type NormNames, plainNames } from '../shared/checkpoint';

/** The norms of the decoder. */
const spatialNames: NormNames = (ours, theirs) => [
  ...plainNames(`${ours}.norm`, `${theirs}.norm_layer`),
  ...convNames(`${ours}.scale`, `${theirs}.conv_y`, [1, 1]),
  ...convNames(`${ours}.shift`, `${theirs}.conv_b`, [1, 1]),
];

const projectionNames = (ours: string, theirs: string): NameRule[] =>
  [
    ['qProj', 'q_proj'],
    ['kProj', 'k_proj'],
    ['vProj', 'v_proj'],
    ['outProj', 'out_proj'],
  ].flatMap(([name, file]) => linearNames(`${ours}.${name}`, `${theirs}.${file}`));

const causalNames = (ours: string, theirs: string, kernel = [3, 3, 3]): NameRule[] =>
  convNames(ours, `${theirs}.conv`, kernel);

/** The norms of a stack, and where the file has its levels. */
interface Half {
  readonly half: 'encoder' | 'decoder';
  readonly norm: NormNames;
  /** Our level and the name of the same one in the file. */
  readonly levels: readonly (readonly [ours: number, theirs: string])[];
  readonly resample: string;
}

const stackNames = ({ half, norm, levels, resample }: Half): NameRule[] => [
  ...convNames(`${half}.convIn`, `${half}.conv_in`),
  ...levels.flatMap(([number, name]) => {
    const [ours, theirs] = [`${half}.levels.${number}`, `${half}.${name}`];
    return [
      ...blockNames(`${ours}.blocks.{i}`, `${theirs}.block.{i}`, norm),
      ...norm(`${ours}.attentions.{i}.norm`, `${theirs}.attn_norms.{i}`),
      ...projectionNames(`${ours}.attentions.{i}.attention`, `${theirs}.attn.{i}`),
      ...convNames(`${ours}.resample`, `${theirs}.${resample}.conv`),
    ];
  }),
  ...blockNames(`${half}.middle.block1`, `${half}.middle_block.block_1`, norm),
  ...norm(`${half}.middle.attention.norm`, `${half}.middle_block.attn_norm`),
  ...projectionNames(`${half}.middle.attention.attention`, `${half}.middle_block.attn_1`),
  ...blockNames(`${half}.middle.block2`, `${half}.middle_block.block_2`, norm),
  ...norm(`${half}.normOut`, `${half}.norm_out`),
  ...convNames(`${half}.convOut`, `${half}.conv_out`),
];

const batchNormNames = (ours: string, theirs: string): NameRule[] => [
  ...plainNames(ours, theirs),
  { ours: `${ours}.runningMean`, theirs: `${theirs}.running_mean` },
  { ours: `${ours}.runningVariance`, theirs: `${theirs}.running_var` },
];

/** @param kernel of the convolutions that change the number of frames */
const temporalNames = (ours: string, theirs: string, kernel: readonly number[]): NameRule[] => [
  ...convNames(`${ours}.convs.{i}`, `${theirs}.time_conv.{i}.conv.conv`, kernel),
  ...['1', '2'].flatMap((n) => [
    ...batchNormNames(`${ours}.blocks.{i}.norm${n}`, `${theirs}.time_res_stack.{i}.norm${n}`),
    ...causalNames(`${ours}.blocks.{i}.conv${n}`, `${theirs}.time_res_stack.{i}.conv${n}`),
  ]),
];

/** As transformers writes `Emu3VQVAE`, whose decoder counts its levels from the largest, unlike ours. */
export function emu3VqNames(numLevels: number, prefixes: string | readonly string[]): NameMap {
  const levels = Array.from({ length: numLevels }, (_, level) => level);
  const rules = [
    ...stackNames({
      half: 'encoder',
      norm: plainNames,
      levels: levels.map((level) => [level, `down_block.down.${level}`]),
      resample: 'downsample',
    }),
    ...temporalNames('temporalEncoder', 'encoder', [4, 3, 3]),
    ...causalNames('quantConv', 'quant_conv', [3, 1, 1]),
    { ours: 'codebook.weight', theirs: 'quantize.embedding.weight' },
    ...causalNames('postQuantConv', 'post_quant_conv', [3, 1, 1]),
    ...temporalNames('temporalDecoder', 'decoder', [3, 3, 3]),
    ...stackNames({
      half: 'decoder',
      norm: spatialNames,
      levels: levels.map((level) => [level, `up_block.up.${numLevels - 1 - level}`]),
      resample: 'upsample',
    }),
  ];
  // How often the statistics were measured.
  return prefixMap({ rules, ignore: ['**.num_batches_tracked'] }, { theirs: prefixes });
}
