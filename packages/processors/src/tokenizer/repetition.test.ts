import { expect, it } from 'vitest';
import { compileRegex } from './regex';
import { endlessRepetition } from './repetition';

it.each([
  ['GPT-2', "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"],
  [
    'GPT-4',
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  ],
  [
    'GPT-4o',
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  ],
  [
    'Tekken',
    '[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
  ],
  [
    'Qwen2',
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  ],
  [
    'DeepSeek-V3',
    '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
  ],
  ['DeepSeek-V3, ideographs', '[一-龥\u3040-ゟ゠-ヿ]+'],
  [
    'CLIP',
    "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+",
  ],
  ['Gemma and Llama 2', ' '],
  ['digits in threes', '(?=(\\d{3})+(?!\\d))'],
])('the pattern of %s is compiled', (_, pattern) => {
  expect(compileRegex(pattern, 'test')).toBeInstanceOf(RegExp);
});

it('possessive repetitions are one each', () => {
  expect(endlessRepetition('[^\\r\\n\\p{L}]?+\\p{L}++| ?[^\\s\\p{L}]++[\\r\\n]*+|\\s++$')).toBeUndefined();
});

it.each([
  '(a+)+$',
  '((a+))*b',
  '(a|aa)+$',
  '(?:a?)*b',
  '(a{2,})+',
  '(?:(?:a|b)c)+',
  '(\\w+\\s?)*$',
  '([a-z]+)*[)]',
  '(a*){20,}b',
  '(a{1,30}){1,30}',
  '\\s*\\s*\\s*\\s*x',
  '(x+x+)+y',
  '(.*)(.*)(.*)(.*)=',
])('%s is refused', (pattern) => {
  expect(() => compileRegex(pattern, 'test')).toThrow(/^test: expected a regular expression, got .*, which /);
});

it('the longest pattern is read, whatever it repeats', () => {
  for (const part of ['(', '+', '(+', '(+)', '[', '{', '(a|', '\\']) endlessRepetition(part.repeat(10_000));
  expect(() => compileRegex('a'.repeat(20_001), 'test')).toThrow(/20001 characters/);
});
