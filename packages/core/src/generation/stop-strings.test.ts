import { describe, expect, it } from 'vitest';
import { StopStrings } from './stop-strings';

/** What is shown of a text that comes in these pieces. */
function show(stops: readonly string[], pieces: readonly string[]) {
  const strings = new StopStrings(stops);
  const shown = pieces.map((piece) => strings.push(piece));
  return { shown, rest: strings.end(), stopped: strings.stopped };
}

describe('StopStrings', () => {
  it('holds back what may become one, and shows it when it does not', () => {
    expect(show(['\n\nUser'], ['Yes.', '\n', '\n', 'But'])).toEqual({
      shown: ['Yes.', '', '', '\n\nBut'],
      rest: '',
      stopped: false,
    });
  });

  it('ends before the first one, wherever the pieces are cut', () => {
    const text = 'one two END three STOP';
    for (let cut = 1; cut < text.length; cut++) {
      for (let second = cut; second < text.length; second++) {
        const pieces = [text.slice(0, cut), text.slice(cut, second), text.slice(second)];
        const { shown, rest, stopped } = show(['STOP', 'END'], pieces);
        expect([shown.join(''), rest, stopped]).toEqual(['one two ', '', true]);
      }
    }
  });

  it('gives back at the end what was held', () => {
    expect(show(['abc'], ['xab'])).toEqual({ shown: ['x'], rest: 'ab', stopped: false });
    expect(show([''], ['x'])).toEqual({ shown: ['x'], rest: '', stopped: false });
  });

  it('finds one that begins within a beginning of itself', () => {
    expect(show(['aab'], ['a', 'a', 'a', 'b', 'c'])).toEqual({
      shown: ['', '', 'a', '', ''],
      rest: '',
      stopped: true,
    });
  });
});
