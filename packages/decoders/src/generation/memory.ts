import {
  type CacheType,
  ConfigError,
  type Decoder,
  type DecoderInputs,
  type KeyValueCache,
  type PromptMemory,
  ShapeError,
} from '@mmllm/core';

/** Keys and values of the last call of one conversation, and the tokens that they stand for. */
export class CachedPrompt implements PromptMemory {
  readonly #decoder: Decoder;
  readonly #cache: KeyValueCache;
  #tokens: number[] = [];
  #isInUse = false;

  constructor(decoder: Decoder, type: CacheType | undefined) {
    this.#decoder = decoder;
    this.#cache = decoder.createCache(1, { type });
  }

  get length(): number {
    return this.#cache.length;
  }

  /**
   * Lends the cache, cropped to what it has in common with a prompt but for the last token, which must run in any case.
   * @throws ConfigError for a memory of another decoder, or one that is in use; ShapeError for several prompts, padding,
   *   or embeddings of which it is not known what they stand for.
   */
  static lend(memory: PromptMemory, decoder: Decoder, inputs: DecoderInputs): CachedPrompt {
    const component = `decoder '${decoder.name}'`;
    if (!(memory instanceof CachedPrompt) || memory.#decoder !== decoder) {
      throw new ConfigError({ component, expected: 'a memory of its own', actual: 'one of another decoder' });
    }
    if (memory.#isInUse) {
      throw new ConfigError({
        component,
        expected: 'a memory that no other call uses',
        actual: 'one in use',
      });
    }
    const { tokens, rule } = inputs;
    if (inputs.embeddings.shape[0] !== 1 || !tokens || (rule.start?.[0] ?? 0) !== 0) {
      throw new ShapeError({
        component,
        expected: 'one prompt without padding, with its tokens, beside a memory',
        actual: tokens ? `${inputs.embeddings.shape[0]} prompts or padding` : 'embeddings alone',
      });
    }
    memory.#begin(tokens.data, rule.prefix?.[0] ?? 0);
    return memory;
  }

  get cache(): KeyValueCache {
    return this.#cache;
  }

  /** Tokens that the cache is about to get. */
  add(tokens: Iterable<number>): void {
    this.#tokens.push(...tokens);
  }

  /** The call is over, also half-way. */
  giveBack(): void {
    this.#isInUse = false;
  }

  dispose(): void {
    this.#cache.dispose();
    this.#tokens = [];
  }

  #begin(prompt: Int32Array, prefix: number): void {
    this.#isInUse = true;
    let common = 0;
    const most = Math.min(this.#cache.length, prompt.length - 1);
    while (common < most && this.#tokens[common] === prompt[common]) common++;
    // Tokens of a prefix see all of it: with another end it is another one.
    if (common < prefix) common = 0;
    this.#cache.crop(common);
    this.#tokens.length = common;
  }
}
