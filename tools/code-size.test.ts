import { describe, expect, it } from 'vitest';
import { codeSizes, countLines, isSmall } from './code-size.mjs';

describe('code size', () => {
  it('counts lines with code on them', () => {
    const source =
      "/** A\n * comment. */\n\nimport x from 'x'; // y\n  // z\nconst t = `a\n\n  // text`;\n/* c */ x();\n";
    expect(countLines(source)).toEqual({ raw: 9, code: 5 });
  });

  it('is under a third of transformers for every system that it has', () => {
    const sizes = codeSizes();
    expect(sizes).toHaveLength(17);
    expect(sizes.filter(({ theirs }) => theirs)).toHaveLength(11);
    expect(sizes.filter((size) => !isSmall(size))).toEqual([]);
  });

  it('would be noticed above a third', () => {
    expect(isSmall({ ratio: 0.34, raw: 0.1 })).toBe(false);
    expect(isSmall({ ratio: 0.1, raw: 0.34 })).toBe(false);
  });
});
