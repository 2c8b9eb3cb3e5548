/** One command of `mmllm`. */
export interface Command {
  /** One line, for the list of commands. */
  readonly summary: string;
  /** How it is called, for `--help`. */
  readonly help: string;
  /**
   * Writes its results to standard output and nothing else there. Resolves to the exit code.
   * @throws ConfigError for arguments that it does not take.
   */
  run(args: readonly string[]): Promise<number>;
}
