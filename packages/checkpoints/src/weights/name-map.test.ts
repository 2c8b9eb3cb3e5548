import { WeightError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { composeMaps, isIgnored, type NameMap, prefixMap, toOurs, toTheirs } from './name-map';

const map: NameMap = {
  rules: [
    { ours: 'layers.{i}.qProj.weight', theirs: 'model.layers.{i}.self_attn.q_proj.weight', layout: 'linear' },
    { ours: 'experts.{layer}.{j}.up', theirs: 'mlp.{j}.of.{layer}', alternatives: ['old.{layer}.{j}'] },
    { ours: 'norm', theirs: 'final+norm' },
    { ours: 'attn.q', theirs: 'attn.qkv', rows: [0, 2] },
    { ours: 'attn.k', theirs: 'attn.qkv', rows: [2, 4] },
  ],
  ignore: ['rotary.{i}.inv_freq', '*.position_ids', 'text_model.**'],
};

describe('toTheirs and toOurs', () => {
  it.each([
    ['layers.0.qProj.weight', ['model.layers.0.self_attn.q_proj.weight']],
    ['layers.117.qProj.weight', ['model.layers.117.self_attn.q_proj.weight']],
    ['experts.3.12.up', ['mlp.12.of.3', 'old.3.12']],
    ['norm', ['final+norm']],
  ])('are each other’s inverse for %s', (path, keys) => {
    expect(toTheirs(map, path)).toMatchObject([{ key: keys[0], keys }]);
    for (const key of keys) expect(toOurs(map, key).map((target) => target.path)).toEqual([path]);
  });

  it('give the rule that decided', () => {
    expect(toTheirs(map, 'layers.1.qProj.weight')[0]?.rule).toBe(map.rules[0]);
    expect(toOurs(map, 'old.1.2')[0]?.rule).toBe(map.rules[1]);
  });

  it.each([
    '',
    'layers',
    'layers.x.qProj.weight',
    'layers.01.qProj.weight',
    'layers.-1.qProj.weight',
    'layers.1.qProj.weight2',
    'xlayers.1.qProj.weight',
    'layers.1xqProj.weight',
    'norm\n',
  ])('know nothing of our %j', (path) => expect(toTheirs(map, path)).toEqual([]));

  it.each(['', 'final norm', 'finalllnorm', 'mlp.1.of.02', 'model.layers.1.self_attn.q_proj.weight.x'])(
    'know nothing of their %j',
    (key) => expect(toOurs(map, key)).toEqual([]),
  );

  it('find all parameters that share a tensor', () => {
    expect(toOurs(map, 'attn.qkv').map(({ path, rule }) => [path, rule.rows])).toEqual([
      ['attn.q', [0, 2]],
      ['attn.k', [2, 4]],
    ]);
  });

  it('stay inverse where rules overlap: the first decides', () => {
    const overlapping: NameMap = {
      rules: [
        { ours: 'a.0', theirs: 'first' },
        { ours: 'a.{i}', theirs: 'other.{i}' },
      ],
    };
    expect(toTheirs(overlapping, 'a.0')[0]?.key).toBe('first');
    expect(toOurs(overlapping, 'other.0')).toEqual([]);
    expect(toOurs(overlapping, 'other.1')[0]?.path).toBe('a.1');
  });

  it('require a repeated placeholder to repeat', () => {
    const twice: NameMap = { rules: [{ ours: 'a.{i}', theirs: 'b.{i}.c.{i}' }] };
    expect(toTheirs(twice, 'a.7')[0]?.key).toBe('b.7.c.7');
    expect(toOurs(twice, 'b.7.c.7')[0]?.path).toBe('a.7');
    expect(toOurs(twice, 'b.7.c.8')).toEqual([]);
  });

  it.each([
    ['a placeholder lost', { ours: 'a.{i}.{j}', theirs: 'b.{i}' }],
    ['a placeholder from nowhere', { ours: 'a', theirs: 'b.{i}' }],
    ['another name', { ours: 'a.{i}', theirs: 'b.{j}' }],
    ['an alternative without it', { ours: 'a.{i}', theirs: 'b.{i}', alternatives: ['c'] }],
    ['a star', { ours: 'a.*', theirs: 'b.*' }],
    ['an open brace', { ours: 'a.{i', theirs: 'b.{i' }],
    ['an empty placeholder', { ours: 'a.{}', theirs: 'b.{}' }],
  ])('refuse a rule with %s', (_, rule) => {
    expect(() => toTheirs({ rules: [rule] }, 'x')).toThrow(WeightError);
    expect(() => toOurs({ rules: [rule] }, 'x')).toThrow(WeightError);
  });
});

describe('isIgnored', () => {
  it.each(['rotary.12.inv_freq', 'embeddings.position_ids', 'text_model.a', 'text_model.a.b.c'])(
    'takes %s',
    (key) => expect(isIgnored(map, key)).toBe(true),
  );
  it.each(['rotary.x.inv_freq', 'a.b.position_ids', 'position_ids', 'text_model', 'xtext_model.a', 'norm'])(
    'leaves %s',
    (key) => expect(isIgnored(map, key)).toBe(false),
  );
});

describe('prefixMap and composeMaps', () => {
  const whole = composeMaps(
    prefixMap(map, { ours: 'decoder', theirs: ['language_model', 'model.text'] }),
    prefixMap({ rules: [{ ours: 'weight', theirs: 'w', alternatives: ['v'] }] }, { ours: 'projector' }),
    prefixMap({ rules: [{ ours: 'x', theirs: 'y' }], ignore: ['z'] }, { theirs: 'vision' }),
  );

  it('prefix both sides, and write the first spelling', () => {
    expect(toTheirs(whole, 'decoder.experts.1.2.up')[0]?.keys).toEqual([
      'language_model.mlp.2.of.1',
      'model.text.mlp.2.of.1',
      'language_model.old.1.2',
      'model.text.old.1.2',
    ]);
    for (const key of toTheirs(whole, 'decoder.experts.1.2.up')[0]!.keys) {
      expect(toOurs(whole, key).map(({ path }) => path)).toEqual(['decoder.experts.1.2.up']);
    }
    expect(toTheirs(whole, 'projector.weight')[0]?.keys).toEqual(['w', 'v']);
    expect(toTheirs(whole, 'x')[0]?.keys).toEqual(['vision.y']);
    expect(toTheirs(whole, 'norm')).toEqual([]);
  });

  it('keep layouts and what is ignored', () => {
    expect(toTheirs(whole, 'decoder.layers.0.qProj.weight')[0]?.rule.layout).toBe('linear');
    expect(isIgnored(whole, 'model.text.text_model.a')).toBe(true);
    expect(isIgnored(whole, 'text_model.a')).toBe(false);
    expect(isIgnored(whole, 'vision.z')).toBe(true);
  });
});
