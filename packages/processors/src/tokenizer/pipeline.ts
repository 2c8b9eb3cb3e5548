import { type AddedToken, addedTokenOf, finder, numbered } from './added-tokens';
import { originOf } from './aligned';
import type { ClassRules } from './classes';
import { cleanUp, type Decoder, decoderOf } from './decoders';
import { Fields, type JsonObject, refuse } from './file';
import { type Model, modelOf } from './models/model';
import { type Normalizer, normalizerOf } from './normalizers';
import { noPostProcessor, type PostProcessor, postProcessorOf, type Sequence } from './post-processors';
import { type Piece, type PreTokenizer, preTokenizerOf } from './pre-tokenizers';
import { compileRegex } from './regex';

/** What `tokenizer.json` describes, ready to run. */
export class Pipeline {
  readonly #model: Model;
  readonly #normalize: Normalizer;
  readonly #preTokenize: PreTokenizer;
  readonly #decoder?: Decoder;
  readonly #postProcessor: PostProcessor;
  readonly #added: readonly AddedToken[];
  readonly #ids: ReadonlyMap<string, number>;
  readonly #tokens: ReadonlyMap<number, string>;
  readonly #special: ReadonlySet<string>;
  readonly #findRaw: ReturnType<typeof finder>;
  readonly #findNormalized: ReturnType<typeof finder>;
  readonly #rules: ClassRules;

  /**
   * @param more special tokens that another file names; those that are not in this one get the ids after its last.
   * @param rules what its class does beside the file.
   * @throws TokenizerError for a file that is malformed or has a part of an unknown kind.
   */
  constructor(json: JsonObject, more: readonly string[] = [], rules: ClassRules = {}) {
    const name = 'tokenizer.json';
    const file = rules.file?.(json) ?? json;
    this.#rules = rules;
    const optional = (key: string) =>
      file[key] == null ? undefined : Fields.of(`${name} ${key}`, file[key]);
    const [normalizer, preTokenizer, postProcessor, decoder] = [
      optional('normalizer'),
      optional('pre_tokenizer'),
      optional('post_processor'),
      optional('decoder'),
    ];
    this.#model = modelOf(Fields.of(`${name} model`, file.model));
    this.#normalize = normalizer ? normalizerOf(normalizer, compileRegex) : (text) => text;
    this.#preTokenize = preTokenizer ? preTokenizerOf(preTokenizer, compileRegex) : (piece) => [piece];
    this.#postProcessor = postProcessor
      ? postProcessorOf(postProcessor, (id) => this.tokenOf(id))
      : noPostProcessor;
    this.#decoder = decoder && decoderOf(decoder, compileRegex);

    const { added_tokens: listed = [] } = file;
    if (!Array.isArray(listed)) refuse(`${name} added_tokens`, 'a list', listed);
    const own = (listed as unknown[]).map((json, i) => addedTokenOf(`${name} added_tokens[${i}]`, json));
    this.#added = withMore(numbered(own, this.#model.vocabulary), more, this.#model.vocabulary);
    // Text that decoding starts from, as the text to be found, is normalised.
    const written = ({ content, normalized }: AddedToken) =>
      normalized ? this.#normalize({ text: content, base: 0 }).text : content;
    this.#ids = new Map([
      ...this.#model.vocabulary,
      ...this.#added.map(({ content, id }) => [content, id] as const),
    ]);
    this.#tokens = new Map([
      ...[...this.#model.vocabulary].map(([token, id]) => [id, token] as const),
      ...this.#added.map((token) => [token.id, written(token)] as const),
    ]);
    this.#special = new Set(this.#added.filter(({ special }) => special).map(({ content }) => content));
    this.#findRaw = finder(
      this.#added.filter(({ normalized }) => !normalized),
      written,
    );
    this.#findNormalized = finder(
      this.#added.filter(({ normalized }) => normalized),
      written,
    );
  }

  get vocabSize(): number {
    let largest = -1;
    for (const id of this.#ids.values()) largest = Math.max(largest, id);
    return 1 + largest;
  }

  idOf = (token: string): number | undefined => this.#ids.get(token);
  /** Empty for an id that is none. */
  tokenOf = (id: number): string => this.#tokens.get(id) ?? '';

  /** A token that decoding can leave out. */
  isSpecial = (id: number): boolean => this.#special.has(this.tokenOf(id));

  /** A text as the model sees it: added tokens, and pieces that are tokenised on their own. */
  *#stretches(text: string): Generator<{ readonly piece: Piece; readonly token?: AddedToken }> {
    for (const raw of this.#findRaw({ text, base: 0 })) {
      if (raw.token) {
        yield { piece: raw.text, token: raw.token };
        continue;
      }
      const isFirst = raw.text.base === 0;
      const normalized = this.#normalize(this.#rules.before?.(raw.text) ?? raw.text);
      for (const { text, token } of this.#findNormalized(
        this.#rules.piece?.(normalized, isFirst) ?? normalized,
      )) {
        if (token) yield { piece: text, token };
        else for (const piece of this.#preTokenize(text)) yield { piece };
      }
    }
  }

  /** Ids of a text alone, which takes half the time of `tokenize`. */
  ids(text: string): number[] {
    const ids: number[] = [];
    for (const { piece, token } of this.#stretches(text)) {
      if (token) ids.push(token.id);
      else for (const id of this.#model.tokenize(piece.text, piece.inBytes ?? false).ids) ids.push(id);
    }
    return ids;
  }

  /** Tokenises a text, without what the post-processor puts around it. */
  tokenize(text: string): Sequence {
    const [ids, offsets]: number[][] = [[], []];
    const spaced = new Map<number, string>();
    const add = (id: number, piece: Piece, from: number, end: number) => {
      const origin = originOf(piece, from, end);
      ids.push(id);
      offsets.push(origin[0], origin[1]);
    };
    for (const { piece, token } of this.#stretches(text)) {
      if (token) {
        if (token.lstrip || token.rstrip) spaced.set(ids.length, piece.text);
        add(token.id, piece, 0, piece.text.length);
        continue;
      }
      const tokens = this.#model.tokenize(piece.text, piece.inBytes ?? false);
      for (let i = 0; i < tokens.ids.length; i++) add(tokens.ids[i], piece, tokens.starts[i], tokens.ends[i]);
    }
    const zeros = new Array<number>(ids.length).fill(0);
    return { ids, types: zeros, special: zeros, offsets, text, spaced };
  }

  /** How many tokens are put around a text, or around a pair. */
  added(pair: boolean): number {
    return this.#postProcessor.added(pair);
  }

  /** One sequence, or two, with what is put around them. */
  process(sequences: readonly Sequence[], addSpecialTokens: boolean): readonly Sequence[] {
    const processed = this.#postProcessor.process(sequences, addSpecialTokens);
    if (!this.#rules.endsOnce) return processed;
    return processed.filter(({ ids, text }, i) => {
      const before = processed[i - 1]?.ids.at(-1);
      return text !== undefined || ids.length !== 1 || before !== ids[0];
    });
  }

  /** The pieces of a text that the model would look up. */
  words(text: string): string[] {
    return Array.from(this.#stretches(text), ({ piece }) => piece.text);
  }

  decode(ids: Iterable<number>, skipSpecialTokens: boolean, clean: boolean): string {
    const tokens: string[] = [];
    for (const id of ids) {
      const token = this.#tokens.get(id);
      if (token !== undefined && !(skipSpecialTokens && this.#special.has(token))) tokens.push(token);
    }
    const text =
      this.#rules.decode?.(tokens, this.#special) ?? this.#decoder?.(tokens).join('') ?? tokens.join(' ');
    const cleaned = clean ? cleanUp(text) : text;
    return this.#rules.text?.(cleaned) ?? cleaned;
  }
}

/** Tokens that another file names as special are special here too. */
function withMore(
  own: readonly AddedToken[],
  more: readonly string[],
  vocabulary: ReadonlyMap<string, number>,
): AddedToken[] {
  const known = new Set(own.map(({ content }) => content));
  const plain = { special: true, normalized: false, singleWord: false, lstrip: false, rstrip: false, id: 0 };
  const others = more.filter((token) => !known.has(token)).map((content) => ({ ...plain, content }));
  return numbered(others, vocabulary, own);
}
