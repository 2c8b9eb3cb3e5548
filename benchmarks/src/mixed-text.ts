/** The text whose tokenising is measured: prose in several scripts, numbers, code and emoji. */

const syllables = {
  latin: 'a be co di en for ga hi in ju ka lo ment na on per qua re st tion un ver wa ing th es'.split(' '),
  accented: 'é ü ção ñ ö über är è î ß'.split(' '),
  cyrillic: 'по ка ни го ва ре ст ло ми та ень ый ра не за'.split(' '),
  greek: 'κα λο μα να πε ρι τη υ φω αι'.split(' '),
  han: [
    ...'的一是不了人我在有他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么',
  ],
  hangul: [...'가나다라마바사아자차카타파하고노도로모보소오조한글은는이'],
  devanagari: 'क खा गि नी पु र्म स्त हे'.split(' '),
};

type Script = keyof typeof syllables;

const emoji = [...'😀🎉🚀🐈🌍'];
const code = [
  'for (let i = 0; i < 10; i++) {\n    total += values[i];\n}',
  'def read(path):\n    with open(path) as file:\n        return file.read()',
  'SELECT name, count(*) FROM users WHERE age >= 21 GROUP BY name;',
  '<a href="https://example.org/page?id=42">link</a>',
];

/**
 * At least so many bytes of UTF-8, always the same. Words are drawn from 20,000, most of them seldom, as in any
 * language.
 */
export function mixedText(bytes: number): string {
  const { draw, pick } = source();
  const word = (script: Script) =>
    Array.from({ length: 1 + draw(4) }, () => pick(syllables[script])).join('');
  const words = Array.from({ length: 20_000 }, () => {
    const script: Script = draw(10) < 7 ? 'latin' : pick(Object.keys(syllables) as Script[]);
    const made = word(script);
    return draw(8) === 0 ? made[0].toUpperCase() + made.slice(1) : made;
  });
  const parts: string[] = [];
  for (let written = 0; written < bytes; ) {
    const kind = draw(100);
    const next =
      kind < 88
        ? // Zipf: the logarithm of the rank is drawn evenly.
          `${words[Math.floor(words.length ** (draw(1e6) / 1e6)) - 1]}${pick([' ', ' ', ' ', ' ', ', ', '. '])}`
        : kind < 92
          ? `${draw(100_000)} `
          : kind < 96
            ? '\n\n'
            : kind < 98
              ? `${pick(emoji)} `
              : `\n${pick(code)}\n`;
    parts.push(next);
    written += Buffer.byteLength(next);
  }
  return parts.join('');
}

/** Numbers that are the same every time, with Numerical Recipes' constants. */
function source() {
  let state = 1;
  const draw = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  return { draw, pick: <T>(list: readonly T[]): T => list[draw(list.length)] };
}
