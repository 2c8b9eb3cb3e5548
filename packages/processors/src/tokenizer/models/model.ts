import { type Fields, refuse } from '../file';
import { bpe } from './bpe';
import { unigram } from './unigram';
import { wordLevel, wordPiece } from './words';

/** Ids of a stretch of text, and of each the units [start, end) of it that it stands for. */
export interface Tokens {
  readonly ids: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Text to ids, without any knowledge of what stands around it. */
export interface Model {
  readonly vocabulary: ReadonlyMap<string, number>;
  /**
   * @param inBytes the vocabulary writes bytes as characters
   * @throws TokenizerError for text that it has no token for.
   */
  tokenize(text: string, inBytes: boolean): Tokens;
}

const kinds = { BPE: bpe, Unigram: unigram, WordLevel: wordLevel, WordPiece: wordPiece } as const;

/** The model that the file describes. @throws TokenizerError for a kind that is not known, or a broken one. */
export function modelOf(fields: Fields): Model {
  const type = fields.optionalString('type') ?? kindOf(fields);
  if (Object.hasOwn(kinds, type)) return kinds[type as keyof typeof kinds](fields);
  return refuse(`${fields.component}.type`, Object.keys(kinds).join(', '), type);
}

/** Old files do not name it. */
function kindOf({ json }: Fields): string {
  if (Array.isArray(json.vocab)) return 'Unigram';
  if (json.merges !== undefined) return 'BPE';
  return json.continuing_subword_prefix === undefined ? 'WordLevel' : 'WordPiece';
}
