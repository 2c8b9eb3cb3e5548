import { alsoBytes } from '../byte-level';
import type { Fields } from '../file';
import type { Model, Tokens } from './model';
import { noToken, vocabularyOf } from './vocabulary';

/** A token for each word. */
export function wordLevel(fields: Fields): Model {
  const vocabulary = vocabularyOf(fields);
  const unknown = vocabulary.get(fields.string('unk_token', '<unk>'));
  return {
    vocabulary,
    tokenize: alsoBytes((text) => {
      const id = vocabulary.get(text) ?? unknown ?? noToken(text);
      return { ids: [id], starts: [0], ends: [text.length] };
    }),
  };
}

/**
 * The longest pieces from the left; a word that they do not make is one unknown token.
 *
 * Source: Schuster and Nakajima, 2012; huggingface/tokenizers, tokenizers/src/models/wordpiece/.
 */
export function wordPiece(fields: Fields): Model {
  const vocabulary = vocabularyOf(fields);
  const prefix = fields.string('continuing_subword_prefix', '##');
  const longest = fields.count('max_input_chars_per_word', 100);
  const unknown = vocabulary.get(fields.string('unk_token', '[UNK]'));
  const unknownWord = (text: string): Tokens => ({
    ids: [unknown ?? noToken(text)],
    starts: [0],
    ends: [text.length],
  });
  return {
    vocabulary,
    tokenize: alsoBytes((text) => {
      if ([...text].length > longest) return unknownWord(text);
      const [ids, starts, ends]: number[][] = [[], [], []];
      for (let from = 0; from < text.length; ) {
        let end = text.length;
        let id: number | undefined;
        for (; end > from && id === undefined; end--) {
          id = vocabulary.get((from > 0 ? prefix : '') + text.slice(from, end));
        }
        if (id === undefined) return unknownWord(text);
        ids.push(id);
        starts.push(from);
        from = end + 1;
        ends.push(from);
      }
      return { ids, starts, ends };
    }),
  };
}
