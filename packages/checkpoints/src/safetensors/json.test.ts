import { CheckpointError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { type Json, JsonNumber, parseStrictJson } from './json';

/** As JSON.parse gives it. */
function plain(value: Json): unknown {
  if (value instanceof JsonNumber) return Number(value.literal);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
  if (Array.isArray(value)) return value.map(plain);
  return value;
}

describe('parseStrictJson', () => {
  it.each([
    '{}',
    ' { } \r\n\t',
    '[]',
    '[ 1 , -0 , 1.5e-3 , 10E+2 ]',
    '{"a":{"b":[true,false,null,"x"]},"1":2,"0":3}',
    String.raw`"\" \\ \/ \b \f \n \r \t é 😀"`,
    '"é 😀 \u007f \u2028"',
    '""',
    `${'['.repeat(128)}${']'.repeat(128)}`,
  ])('reads %j as JSON.parse does', (text) => {
    expect(plain(parseStrictJson(text, 'test'))).toEqual(JSON.parse(text));
  });

  it.each([
    '',
    ' ',
    '{',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,}',
    '{,}',
    '{a:1}',
    "{'a':1}",
    '{"a" 1}',
    '[1,]',
    '[1 2]',
    '[',
    '1 2',
    '{} {}',
    '01',
    '+1',
    '.5',
    '1.',
    '1e',
    '-',
    'NaN',
    'tru',
    'nul',
    'undefined',
    '"',
    '"a',
    '"\\',
    '"\\"',
    '"\\x"',
    '"\\u12"',
    '"\n"',
    '"\u0000"',
    '/* */ 1',
    '\u00a01',
  ])('refuses %j, as JSON.parse does', (text) => {
    expect(() => JSON.parse(text)).toThrow();
    expect(() => parseStrictJson(text, 'test')).toThrow(CheckpointError);
  });

  it.each([
    ['a key twice', '{"a":1,"a":1}'],
    ['a key twice, spelt differently', String.raw`{"a":1,"\u0061":1}`],
    ['a key twice further in', '[{"b":{"a":1,"c":2,"a":1}}]'],
    ['half a surrogate pair', String.raw`"\ud800"`],
    ['a swapped surrogate pair', String.raw`"\udc00\ud800"`],
    ['129 levels', `${'['.repeat(129)}${']'.repeat(129)}`],
  ])('refuses %s, which JSON.parse takes', (_, text) => {
    JSON.parse(text);
    expect(() => parseStrictJson(text, 'test')).toThrow(CheckpointError);
  });

  it('keeps names that are special to JavaScript objects', () => {
    const root = parseStrictJson('{"__proto__":"a","constructor":"b"}', 'test');
    expect(root).toEqual(
      new Map([
        ['__proto__', 'a'],
        ['constructor', 'b'],
      ]),
    );
  });

  it('names the place and cuts what someone else made long', () => {
    expect(() => parseStrictJson('{"a": ?}', 'model.safetensors')).toThrow(
      'model.safetensors: expected a JSON value at character 6 of the JSON, got "?".',
    );
    const key = JSON.stringify('k'.repeat(10_000));
    const error = (() => {
      try {
        parseStrictJson(`{${key}:1,${key}:1}`, 'test');
      } catch (error) {
        return error as Error;
      }
    })();
    expect(error?.message.length).toBeLessThan(300);
  });
});
