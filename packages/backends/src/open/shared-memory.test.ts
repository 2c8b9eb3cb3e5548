import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { declareShared } from './shared-memory';

const path = createRequire(import.meta.url).resolve(
  '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm',
);
const stock = new Uint8Array(readFileSync(path));

it('changes one flag of the stock binary, and leaves the given bytes alone', () => {
  const before = stock.slice();
  const shared = declareShared(stock);
  expect(stock).toEqual(before);
  expect(shared.length).toBe(stock.length);
  expect(shared.filter((byte, i) => byte !== stock[i])).toEqual(Uint8Array.of(3));
  expect(WebAssembly.validate(shared)).toBe(true);
});

it.each([
  ['a module without a memory', Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)],
  ['a memory without a bound', Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 5, 3, 1, 0, 1)],
  ['a binary that is shared already', declareShared(stock)],
])('refuses %s', (_, bytes) => {
  expect(() => declareShared(bytes)).toThrow('the binary has no bounded memory of its own');
});
