import { expect, it } from 'vitest';
import { FieldMap } from './field-map';

it('is a WeakMap, with what was there before', () => {
  const [old, a, b] = [{}, {}, {}];
  const one = { value: 1 };
  const map = new FieldMap<object, { value: number }>(new WeakMap([[old, one]]));
  const other = new FieldMap<object, { value: number }>(new WeakMap());
  expect(map.get(old)).toBe(one);
  map.set(a, { value: 2 }).set(b, { value: 3 });
  expect([map.get(a), map.get(b)]).toEqual([{ value: 2 }, { value: 3 }]);
  expect([map.has(old), map.has(a), map.has({}), other.has(a)]).toEqual([true, true, false, false]);
  expect([map.delete(a), map.delete(a), map.delete(old)]).toEqual([true, false, true]);
  expect([map.has(a), map.has(old), map.get(a)]).toEqual([false, false, undefined]);
  expect(Object.keys(a)).toEqual([]);
});
