import { type Resample, random } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { coefficients } from '../resize/coefficients';
import { filters } from '../resize/filters';
import { acrossRows } from '../resize/passes';
import { acrossRowsInWasm } from '../resize/passes-wasm';
import { noise } from './noise';

const names = Object.keys(filters) as Exclude<Resample, 'nearest'>[];

/** The pass in WebAssembly against the one in TypeScript, in Node and in browsers. */
export function describePasses(): void {
  describe('acrossRowsInWasm', () => {
    it.each(names)('gives the bytes of the TypeScript for %s, whatever the sizes', (name) => {
      const source = random('passes', name);
      const side = (most: number) => 1 + source.integer(most);
      for (let trial = 0; trial < 60; trial++) {
        const picture = noise(side(300), side(40));
        const outputs = side(200);
        const first = source.integer(outputs);
        const length = 1 + source.integer(outputs - first);
        const across = coefficients(picture.width, outputs, filters[name], first, length);
        const top = source.integer(picture.height);
        const end = top + 1 + source.integer(picture.height - top);
        const expected = acrossRows(picture, across, top, end);
        expect(acrossRowsInWasm(picture, across, top, end)).toEqual(expected);
      }
    });

    it('takes rows of more than a chunk, and more rows than one holds', () => {
      for (const [width, height] of [
        [30_000, 3],
        [1000, 70],
      ]) {
        const picture = noise(width, height);
        const across = coefficients(width, 77, filters.lanczos, 0, 77);
        const expected = acrossRows(picture, across, 0, height);
        expect(acrossRowsInWasm(picture, across, 0, height)).toEqual(expected);
      }
    });

    it('saturates as the TypeScript does', () => {
      const data = Uint8Array.from({ length: 64 * 3 }, (_, i) => (i % 24 < 12 ? 255 : 0));
      const picture = { data, width: 64, height: 1 };
      const across = coefficients(64, 200, filters.lanczos, 0, 200);
      const bytes = acrossRowsInWasm(picture, across, 0, 1);
      expect(bytes).toEqual(acrossRows(picture, across, 0, 1));
      expect(new Set(bytes)).toContain(255);
      expect(new Set(bytes)).toContain(0);
    });

    it('leaves rows that are too long to the TypeScript', () => {
      const width = 12_000_000;
      const picture = { data: new Uint8Array(width * 3), width, height: 1 };
      expect(acrossRowsInWasm(picture, coefficients(width, 1, filters.box, 0, 1), 0, 1)).toBeUndefined();
    });
  });
}
