/** Tokens a second over the last steps, so that one slow step does not look like a change of speed. */
export class Speed {
  private readonly steps: { readonly tokens: number; readonly seconds: number }[] = [];

  /** @param window number of steps that count. */
  constructor(private readonly window = 20) {}

  add(tokens: number, seconds: number): void {
    this.steps.push({ tokens, seconds });
    if (this.steps.length > this.window) this.steps.shift();
  }

  get tokensPerSecond(): number {
    const total = (key: 'tokens' | 'seconds') => this.steps.reduce((sum, step) => sum + step[key], 0);
    return total('tokens') / total('seconds');
  }
}
