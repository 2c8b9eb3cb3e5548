import { FreezePolicyError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { compilePattern } from './pattern';

const paths = [
  'encoder.patchEmbedding.weight',
  'decoder.embedding.weight',
  'decoder.layers.1.selfAttention.qProj.weight',
  'decoder.layers.1.selfAttention.vProj.bias',
  'decoder.layers.11.mlp.fc1.weight',
  'decoder.norm.weight',
];
const matched = (pattern: string) => paths.filter(compilePattern(pattern));

describe('compilePattern', () => {
  it.each([
    ['encoder', ['encoder.patchEmbedding.weight']],
    ['encoder.patchEmbedding.weight', ['encoder.patchEmbedding.weight']],
    [
      'decoder.layers.1',
      ['decoder.layers.1.selfAttention.qProj.weight', 'decoder.layers.1.selfAttention.vProj.bias'],
    ],
    ['decoder.layers.*.mlp', ['decoder.layers.11.mlp.fc1.weight']],
    ['decoder.*.weight', ['decoder.embedding.weight', 'decoder.norm.weight']],
    [
      'decoder.**.{qProj,fc1}',
      ['decoder.layers.1.selfAttention.qProj.weight', 'decoder.layers.11.mlp.fc1.weight'],
    ],
    ['**.bias', ['decoder.layers.1.selfAttention.vProj.bias']],
    ['{encoder,decoder.norm}.**', ['encoder.patchEmbedding.weight', 'decoder.norm.weight']],
    [
      '**.*Proj',
      ['decoder.layers.1.selfAttention.qProj.weight', 'decoder.layers.1.selfAttention.vProj.bias'],
    ],
    ['**', paths],
    ['decoder.layer', []],
    ['coder', []],
    ['encoder_patchEmbedding', []],
    ['encoder?patchEmbedding', []],
    ['decoder,encoder', []],
  ])('%s', (pattern, expected) => expect(matched(pattern)).toEqual(expected));

  it.each(['', 'decoder.{a,b', 'decoder.a}', '{a,b}}', '}{'])('refuses %j', (pattern) => {
    expect(() => compilePattern(pattern)).toThrow(FreezePolicyError);
  });
});
