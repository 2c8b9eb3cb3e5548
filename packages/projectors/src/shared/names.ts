/** How a file arranges the values of a parameter, when not as we do: see `RuleLayout` of @mmllm/checkpoints. */
type FileLayout =
  | { readonly layout?: undefined }
  | { readonly layout: 'linear' }
  | { readonly layout: 'conv-linear'; readonly kernel: readonly number[] }
  | { readonly layout: 'leading-ones'; readonly count: number };

/** The name of one parameter: a `NameRule` of @mmllm/checkpoints, which this package does not need for plain data. */
export type ProjectorNameRule = FileLayout & {
  readonly ours: string;
  readonly theirs: string;
  /** Other spellings that are loaded but never written. */
  readonly alternatives?: readonly string[];
  /** The part of a file's tensor that several parameters share: rows from the first to before the second. */
  readonly rows?: readonly [start: number, end: number];
};

/** The names of a projector's parameters in a file: a `NameMap` of @mmllm/checkpoints. */
export interface ProjectorNames {
  readonly rules: readonly ProjectorNameRule[];
}

/** How a projector is written in published files. */
export interface ProjectorCheckpoint<Config> {
  /**
   * Our configuration from the parsed `config.json` of the whole model. Values that the file leaves out are those of the
   * published class.
   * @throws ConfigError for a value outside the known set.
   */
  config(json: unknown): Config;
  /**
   * The names of the projector's parameters, for `loadWeights` and `saveWeights`.
   * @param prefixes what stands before the names, `''` for nothing: the first is written, all are loaded.
   */
  names(config: Config, prefixes?: string | readonly string[]): ProjectorNames;
}

/** Weight and bias of a linear layer. */
export const linearNames = (ours: string, theirs: string): ProjectorNameRule[] => [
  { ours: `${ours}.weight`, theirs: `${theirs}.weight`, layout: 'linear' },
  { ours: `${ours}.bias`, theirs: `${theirs}.bias` },
];

/** Weight and bias of a norm. */
export const normNames = (ours: string, theirs: string): ProjectorNameRule[] => [
  { ours: `${ours}.weight`, theirs: `${theirs}.weight` },
  { ours: `${ours}.bias`, theirs: `${theirs}.bias` },
];

/** The weight of a convolution, whose stride is its kernel or whose channels are kept apart. */
export const convName = (ours: string, theirs: string, kernel: readonly number[]): ProjectorNameRule => ({
  ours: `${ours}.weight`,
  theirs: `${theirs}.weight`,
  layout: 'conv-linear',
  kernel,
});

/** Where a projector stands in a file of transformers. */
export const usualPrefixes: readonly string[] = ['multi_modal_projector', 'model.multi_modal_projector'];

/** The rules as they read below prefixes: the first is written, all are loaded. */
export function below(
  prefixes: string | readonly string[],
  rules: readonly ProjectorNameRule[],
): ProjectorNames {
  const all = typeof prefixes === 'string' ? [prefixes] : prefixes;
  return {
    rules: rules.map((rule) => {
      const [theirs, ...alternatives] = all.map((prefix) =>
        prefix ? `${prefix}.${rule.theirs}` : rule.theirs,
      );
      return { ...rule, theirs, alternatives };
    }),
  };
}
