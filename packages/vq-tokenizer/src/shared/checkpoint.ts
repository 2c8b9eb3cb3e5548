import type { NameMap, NameRule } from '@mmllm/checkpoints';

/** How a tokenizer is written in Hugging Face's format. */
export interface VqCheckpoint<Config> {
  /**
   * Our configuration from a parsed `config.json`: the tokenizer's own, or that of a model which nests it. Values that the
   * file leaves out are those of Hugging Face's class.
   * @throws ConfigError for a value that is outside the known set.
   */
  config(json: unknown): Config;
  /**
   * The names of the parameters in a file, for `loadWeights` and `saveWeights`.
   * @param prefixes what stands before the names, `''` for nothing: the first is written, all are loaded.
   */
  names(config: Config, prefixes?: string | readonly string[]): NameMap;
}

/** Weight and bias as they are. */
export const plainNames = (ours: string, theirs: string): NameRule[] => [
  { ours: `${ours}.weight`, theirs: `${theirs}.weight` },
  { ours: `${ours}.bias`, theirs: `${theirs}.bias` },
];

/** Weight and bias of a linear layer. */
export const linearNames = (ours: string, theirs: string): NameRule[] => [
  { ours: `${ours}.weight`, theirs: `${theirs}.weight`, layout: 'linear' },
  { ours: `${ours}.bias`, theirs: `${theirs}.bias` },
];

/** Weight and bias of a convolution, [3, 3] unless said. */
export const convNames = (ours: string, theirs: string, kernel: readonly number[] = [3, 3]): NameRule[] => [
  { ours: `${ours}.weight`, theirs: `${theirs}.weight`, layout: 'conv-linear', kernel },
  { ours: `${ours}.bias`, theirs: `${theirs}.bias` },
];

/** The rules of a norm. */
export type NormNames = (ours: string, theirs: string) => NameRule[];

/** A residual block. */
export const blockNames = (ours: string, theirs: string, norm: NormNames = plainNames): NameRule[] => [
  ...norm(`${ours}.norm1`, `${theirs}.norm1`),
  ...convNames(`${ours}.conv1`, `${theirs}.conv1`),
  ...norm(`${ours}.norm2`, `${theirs}.norm2`),
  ...convNames(`${ours}.conv2`, `${theirs}.conv2`),
  ...convNames(`${ours}.shortcut`, `${theirs}.nin_shortcut`, [1, 1]),
];
