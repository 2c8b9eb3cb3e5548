import { isObject, type JsonObject } from './file';

/**
 * Whether a decoder makes what it makes of some tokens also in front of others, so that a text can be given away as it
 * comes. Expressions, and what treats the last token apart, may change their mind about a text at any distance.
 *
 * @param decoder the part of `tokenizer.json`; without one, tokens are joined by blanks
 */
export function decodesPiecewise(decoder: unknown): boolean {
  let joined = false;
  return steps(decoder).every((step, i) => {
    const wasJoined = joined;
    joined ||= step.type === 'Fuse' || step.type === 'ByteLevel';
    switch (step.type) {
      case 'Fuse':
        return true;
      case 'Strip':
        return (step.stop ?? 0) === 0;
      case 'Replace':
        return isObject(step.pattern) && isShort(step.pattern.String, wasJoined);
      // Behind others it may see characters that are no bytes.
      case 'ByteLevel':
        return i === 0;
      case 'ByteFallback':
      case 'Metaspace':
      case 'WordPiece':
        return !wasJoined;
      default:
        return false;
    }
  });
}

/** In text that was joined, longer ones may lie in two tokens. */
const isShort = (literal: unknown, joined: boolean) =>
  typeof literal === 'string' && (!joined || literal.length === 1);

function steps(decoder: unknown): JsonObject[] {
  if (!isObject(decoder)) return [];
  return decoder.type === 'Sequence' && Array.isArray(decoder.decoders)
    ? decoder.decoders.flatMap(steps)
    : [decoder];
}
