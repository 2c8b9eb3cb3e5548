import { type ImageTokens, ShapeError, type ViewRole, type ViewTokens } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { anyRes } from './any-res';
import { type Arrangement, inOrder, NEWLINE, placeholdersOf, slotsOf } from './arrangement';
import { overlappingCrops } from './overlapping-crops';
import { rowEnds } from './row-ends';
import { tileTags } from './tile-tags';

interface ViewText {
  readonly role?: ViewRole;
  readonly rows: number;
  readonly columns: number;
  readonly frames?: number;
  readonly prefix?: number;
  readonly valid?: boolean;
}

/** A picture whose views lie one below the other. */
function picture(views: readonly ViewText[], more: Partial<ImageTokens> = {}): ImageTokens {
  let start = 0;
  const placed = views.map(({ role = 'image', rows, columns, frames = 1, prefix = 0, valid }): ViewTokens => {
    const count = prefix + frames * rows * columns;
    start += count;
    return { role, start: start - count, count, prefix, grid: { frames, rows, columns }, valid };
  });
  return { views: placed, ...more };
}

/** A text as it reads: `r0` for a feature row, `|` for the newline, the rest as it is. */
const read = (arrangement: Arrangement, image: ImageTokens): string =>
  arrangement
    .pieces(image)
    .flatMap((piece) => {
      if (piece.kind === 'rows') return piece.rows.map((row) => `r${row}`);
      return piece.kind === 'newline' ? ['|'] : [piece.text];
    })
    .join(' ');

describe('inOrder', () => {
  it('is every row of every view that counts, tokens in front too', () => {
    const image = picture([
      { rows: 1, columns: 2, prefix: 1 },
      { rows: 1, columns: 1, valid: false },
      { rows: 1, columns: 1 },
    ]);
    expect(read(inOrder, image)).toBe('r0 r1 r2 r4');
  });
});

describe('rowEnds', () => {
  it('ends each row, and the last one otherwise', () => {
    const image = picture([{ rows: 3, columns: 2 }]);
    expect(read(rowEnds({ row: '\n' }), image)).toBe('r0 r1 \n r2 r3 \n r4 r5 \n');
    expect(read(rowEnds({ row: 'B', last: 'E' }), image)).toBe('r0 r1 B r2 r3 B r4 r5 E');
  });

  it('needs a grid', () => {
    const image: ImageTokens = { views: [{ role: 'image', start: 0, count: 4, prefix: 0 }] };
    expect(() => rowEnds({ row: '\n' }).pieces(image)).toThrow(
      'arrangement rowEnds: expected views whose tokens form a grid, got 4 without one.',
    );
  });
});

describe('anyRes', () => {
  const tile = { role: 'tile', rows: 2, columns: 2 } as const;
  const views = [{ role: 'thumbnail', rows: 2, columns: 2 } as const, tile, tile];

  it('puts tiles side by side, and ends each row with the newline', () => {
    const image = picture(views, {
      tiles: { rows: 1, columns: 2 },
      original: { height: 100, width: 200 },
    });
    expect(read(anyRes, image)).toBe('r0 r1 r2 r3 r4 r5 r8 r9 | r6 r7 r10 r11 |');
  });

  it('puts tiles below each other', () => {
    const image = picture(views, {
      tiles: { rows: 2, columns: 1 },
      original: { height: 200, width: 100 },
    });
    expect(read(anyRes, image)).toBe('r0 r1 r2 r3 r4 r5 | r6 r7 | r8 r9 | r10 r11 |');
  });

  it.each([
    // A grid of 4 × 4 tokens: half as high, nearly as high, and half as wide as wide.
    [{ height: 100, width: 200 }, 2, 4],
    [{ height: 199, width: 200 }, 4, 4],
    [{ height: 200, width: 100 }, 4, 2],
    [{ height: 200, width: 1 }, 4, 0],
  ])('cuts off what only fills up the aspect of %o', (original, rows, columns) => {
    const image = picture([views[0]!, tile, tile, tile, tile], { tiles: { rows: 2, columns: 2 }, original });
    const newlines = slotsOf(anyRes.pieces(image)).filter((slot) => slot === NEWLINE);
    expect(newlines).toHaveLength(rows);
    expect(slotsOf(anyRes.pieces(image))).toHaveLength(4 + rows * (columns + 1));
  });

  it('is one view and the newline for a picture without tiles', () => {
    expect(read(anyRes, picture([{ rows: 1, columns: 2 }]))).toBe('r0 r1 |');
  });

  it('needs all tiles of a grid, and the size of the picture', () => {
    const original = { height: 10, width: 10 };
    expect(() => anyRes.pieces(picture(views, { tiles: { rows: 2, columns: 2 }, original }))).toThrow(
      'expected a whole grid of tiles of one size, got 2 in one of 2×2',
    );
    expect(() => anyRes.pieces(picture(views, { tiles: { rows: 1, columns: 2 } }))).toThrow(ShapeError);
  });
});

describe('tileTags', () => {
  const tile = { role: 'tile', rows: 1, columns: 1 } as const;

  it('numbers tiles and names the thumbnail, wherever it stands', () => {
    const image = picture([tile, tile, { ...tile, role: 'thumbnail' }]);
    expect(read(tileTags(), image)).toBe('<tile_1> r0 <tile_2> r1 <tile_global_thumbnail> r2');
  });

  it('takes an only view for the thumbnail', () => {
    expect(read(tileTags({ thumbnail: 'T' }), picture([{ ...tile, role: 'image' }]))).toBe('T r0');
    expect(read(tileTags({ thumbnail: 'T' }), picture([tile]))).toBe('T r0');
  });

  it('skips what only fills up a batch', () => {
    const image = picture([tile, { ...tile, valid: false }, { ...tile, role: 'thumbnail' }]);
    expect(read(tileTags({ tile: (number) => `#${number}` }), image)).toBe(
      '#1 r0 <tile_global_thumbnail> r2',
    );
  });
});

describe('overlappingCrops', () => {
  // Molmo's crops: 24 patches, 4 of which overlap, become 12 tokens.
  const crops = overlappingCrops({ patches: 24, overlap: [4, 4] });
  const crop = { role: 'tile', rows: 12, columns: 12 } as const;
  const whole = { ...crop, role: 'thumbnail' } as const;

  it('takes each token of the larger view from one crop', () => {
    const image = picture([whole, crop, crop, crop, crop], { tiles: { rows: 2, columns: 2 } });
    const slots = slotsOf(crops.pieces(image));
    // Two crops of 24 patches that share 8 are 40 patches, 20 tokens, along each side.
    expect(slots).toHaveLength(144 + 20 * 20);
    expect(new Set(slots).size).toBe(slots.length);
    // The first row: ten tokens of the first crop, then those of the second from its third on.
    expect(slots.slice(144, 164)).toEqual([
      ...Array.from({ length: 10 }, (_, i) => 144 + i),
      ...Array.from({ length: 10 }, (_, i) => 288 + 2 + i),
    ]);
  });

  it('has rows that end, in blocks that begin and end', () => {
    const small = overlappingCrops({ patches: 2, overlap: [0, 0], start: '[', row: ';', end: ']' });
    const one = { role: 'tile', rows: 1, columns: 1 } as const;
    const image = picture([{ ...one, role: 'thumbnail' }, one, one], { tiles: { rows: 1, columns: 2 } });
    expect(read(small, image)).toBe('[ r0 ; ] [ r1 r2 ; ]');
  });

  it('needs all crops of a grid', () => {
    const image = picture([whole, crop, crop], { tiles: { rows: 2, columns: 2 } });
    expect(() => crops.pieces(image)).toThrow('expected a whole grid of crops, got 2 in one of 2×2');
  });
});

describe('placeholders', () => {
  it('are runs of image tokens between texts', () => {
    const image = picture([{ rows: 2, columns: 2 }], { original: { height: 8, width: 8 } });
    expect(placeholdersOf(anyRes.pieces(image))).toEqual([{ kind: 'features', count: 5 }]);
    expect(placeholdersOf(rowEnds({ row: '/' }).pieces(image))).toEqual([
      { kind: 'features', count: 2 },
      { kind: 'text', text: '/' },
      { kind: 'features', count: 2 },
      { kind: 'text', text: '/' },
    ]);
  });

  it.each([
    ['inOrder', inOrder],
    ['rowEnds', rowEnds({ row: '/', last: '!' })],
    ['tileTags', tileTags()],
  ])('of %s are counted as its pieces are', (_, arrangement) => {
    const image = picture([
      { rows: 2, columns: 3, frames: 2 },
      { rows: 1, columns: 1, valid: false },
      { rows: 1, columns: 2 },
    ]);
    expect(arrangement.placeholders!(image)).toEqual(placeholdersOf(arrangement.pieces(image)));
  });

  it.each([[{ height: 100, width: 200 }], [{ height: 300, width: 200 }], [{ height: 1, width: 200 }]])(
    'of anyRes too, for a picture of %o',
    (original) => {
      const tile = { role: 'tile', rows: 3, columns: 3 } as const;
      const whole = { ...tile, role: 'thumbnail' } as const;
      const image = picture([whole, tile, tile, tile, tile], { tiles: { rows: 2, columns: 2 }, original });
      expect(anyRes.placeholders!(image)).toEqual(placeholdersOf(anyRes.pieces(image)));
      expect(anyRes.placeholders!(picture([whole]))).toEqual([{ kind: 'features', count: 10 }]);
    },
  );
});
