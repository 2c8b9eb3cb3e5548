import { TokenizerError } from '@mmllm/core';
import { type Fields, isObject, refuse } from '../file';

/** Largest id of a vocabulary; no released one comes near. */
const maxId = 2 ** 24;

/** Tokens by text, from `{ "token": id }`. */
export function vocabularyOf(fields: Fields): Map<string, number> {
  const { vocab } = fields.json;
  const component = `${fields.component}.vocab`;
  if (!isObject(vocab)) return refuse(component, 'a JSON object', vocab);
  const vocabulary = new Map<string, number>();
  for (const [token, id] of Object.entries(vocab)) vocabulary.set(token, idOf(component, id));
  return vocabulary;
}

/** @throws TokenizerError for something that is no id. */
export function idOf(component: string, id: unknown): number {
  const fine = Number.isInteger(id) && (id as number) >= 0 && (id as number) < maxId;
  return fine ? (id as number) : refuse(component, `an id from 0 to ${maxId - 1}`, id);
}

/** `<0x0A>` of each byte, where the vocabulary has all of them that a text takes. */
export function byteTokens(vocabulary: ReadonlyMap<string, number>): (text: string) => number[] | undefined {
  const ids = Array.from({ length: 256 }, (_, byte) =>
    vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  );
  const encoder = new TextEncoder();
  return (text) => {
    const found = Array.from(encoder.encode(text), (byte) => ids[byte]);
    return found.every((id) => id !== undefined) ? found : undefined;
  };
}

export function noToken(text: string): never {
  throw new TokenizerError({
    component: 'tokenizer',
    expected: 'text of its vocabulary, since it has no token for unknown text',
    actual: JSON.stringify(text.slice(0, 80)),
  });
}
