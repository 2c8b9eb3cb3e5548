import { type Aligned, AlignedBuilder } from './aligned';
import { type Changed, writeChanged } from './changed';

export type UnicodeForm = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

/** Also what becomes one: half-width ﾞ becomes a mark on the character before it. */
const isMark = /^\p{M}/u;

/**
 * A text in one of Unicode's normal forms. What a character is decomposed to is aligned to it, and a composed character
 * to the first that it is made of.
 *
 * Source: huggingface/tokenizers with the crate unicode-normalization-alignments.
 */
export function normalForm(source: Aligned, form: UnicodeForm): Aligned {
  if (source.text.normalize(form) === source.text) return source;
  const builder = new AlignedBuilder(source);
  for (const [from, end] of segments(source.text)) {
    const segment = source.text.slice(from, end);
    if (segment.normalize(form) === segment) builder.copy(from, end);
    else writeChanged(builder, segment, from, normalised(segment, form));
  }
  return builder.build();
}

/** Stretches that normalise on their own: a character with what may combine with it. */
function* segments(text: string): Generator<[number, number]> {
  let from = 0;
  let at = 0;
  let last = '';
  for (const character of text) {
    if (at > 0 && !isMark.test(character.normalize('NFKD')) && !joins(last, character)) {
      yield [from, at];
      from = at;
    }
    last = character;
    at += character.length;
  }
  if (at > from) yield [from, at];
}

/** Whether two neighbours that are no marks make one character, as parts of a Korean syllable do. */
function joins(last: string, character: string): boolean {
  return isJamo(character) || (last + character).normalize('NFC').length < last.length + character.length;
}

const isJamo = (character: string) => /^[\u1160-\u11ff]/.test(character);

function normalised(segment: string, form: UnicodeForm): Changed[] {
  const compatible = form === 'NFKC' || form === 'NFKD';
  const ordered = decomposed(segment, compatible ? 'NFKD' : 'NFD');
  return form === 'NFC' || form === 'NFKC' ? composed(segment.normalize(form), ordered) : ordered;
}

/** Decomposed characters in canonical order, which keeps equal ones in theirs. */
function decomposed(segment: string, form: 'NFD' | 'NFKD'): Changed[] {
  const changes = new Map<string, number[]>();
  for (const whole of segment) {
    for (const [i, character] of [...whole.normalize(form)].entries()) {
      const known = changes.get(character);
      if (known) known.push(Math.min(i, 1));
      else changes.set(character, [Math.min(i, 1)]);
    }
  }
  return Array.from(segment.normalize(form), (character) => ({
    character,
    change: changes.get(character)?.shift() ?? 0,
  }));
}

/** Finds the parts of each composed character, which are used in order. */
function composed(text: string, parts: readonly Changed[]): Changed[] {
  const rest = [...parts];
  return Array.from(text, (character) => {
    let change = 1;
    for (const each of character.normalize('NFD')) {
      const i = rest.findIndex((part) => part.character === each);
      if (i < 0) continue;
      change += rest[i].change - 1;
      rest.splice(i, 1);
    }
    return { character, change };
  });
}
