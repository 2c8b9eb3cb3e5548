import { convName, linearNames, normNames, type ProjectorNameRule } from '../shared/names';

/** A convolution and its norm, which the published code calls a batch norm. */
const convNormNames = (ours: string, theirs: string, kernel: readonly number[]): ProjectorNameRule[] => [
  convName(`${ours}.conv`, `${theirs}.conv`, kernel),
  ...normNames(`${ours}.norm`, `${theirs}.bn`),
];

/** A 1×1 convolution with its bias. */
const pointwiseNames = (ours: string, theirs: string): ProjectorNameRule[] => [
  convName(ours, theirs, [1, 1]),
  { ours: `${ours}.bias`, theirs: `${theirs}.bias` },
];

const blockNames = (ours: string, theirs: string): ProjectorNameRule[] => [
  ...convNormNames(`${ours}.conv1`, `${theirs}.conv1`, [1, 1]),
  ...convNormNames(`${ours}.conv2`, `${theirs}.conv2`, [3, 3]),
  ...pointwiseNames(`${ours}.se.fc1`, `${theirs}.se.fc1`),
  ...pointwiseNames(`${ours}.se.fc2`, `${theirs}.se.fc2`),
  ...convNormNames(`${ours}.conv3`, `${theirs}.conv3`, [1, 1]),
  ...convNormNames(`${ours}.downsample`, `${theirs}.downsample`, [1, 1]),
];

const each = (count: number, rulesOf: (i: number) => ProjectorNameRule[]): ProjectorNameRule[] =>
  Array.from({ length: count }, (_, i) => rulesOf(i)).flat();

/** As Honeybee writes it: blocks count from one, and the readout counts its activations too. */
export const cAbstractorRules = (depth: number, mlpDepth: number): ProjectorNameRule[] => [
  { ours: 'positionEmbedding', theirs: 'pos_emb', layout: 'leading-ones', count: 1 },
  ...normNames('prenorm', 'prenorm'),
  ...each(depth, (i) => blockNames(`before.${i}`, `net.0.b${i + 1}`)),
  ...each(depth, (i) => blockNames(`after.${i}`, `net.2.b${i + 1}`)),
  ...each(mlpDepth, (i) => linearNames(`readout.${i}`, `readout.${2 * i}`)),
  { ours: 'eosTokens', theirs: 'eos_tokens', layout: 'leading-ones', count: 1 },
];
