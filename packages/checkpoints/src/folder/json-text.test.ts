import { describe, expect, it } from 'vitest';
import { readCase } from '../safetensors/fixtures';
import { jsonText } from './json-text';

describe('jsonText', () => {
  it('writes floats as floats, at any depth, and integers as integers', () => {
    const config = {
      rope_theta: 10000,
      hidden_size: 64,
      text_config: {
        initializer_factor: 1,
        layer_norm_eps: 1e-5,
        eos_token_id: [1, 2],
        initializer_range: 0.02,
      },
      rope_theta_list: [1],
      temperature: 1e21,
    };
    expect(jsonText(config)).toBe(`{
  "rope_theta": 10000.0,
  "hidden_size": 64,
  "text_config": {
    "initializer_factor": 1.0,
    "layer_norm_eps": 0.00001,
    "eos_token_id": [
      1,
      2
    ],
    "initializer_range": 0.02
  },
  "rope_theta_list": [
    1
  ],
  "temperature": 1e+21
}
`);
  });

  it('otherwise writes what JSON.stringify does', () => {
    const value = {
      text: 'a "quoted"\n\u2028é',
      empty: [{}, [], null],
      flags: [true, false],
      numbers: [0.5, -3, Number.NaN],
      none: undefined,
      '1': 'x',
    };
    expect(jsonText(value)).toBe(`${JSON.stringify(value, null, 2)}\n`);
  });

  it.each(['clip/quick-gelu', 'siglip/base', 'vit/h14-layout', 'llava/base'])(
    'writes the configuration of %s with the fractions that transformers wrote',
    (name) => {
      const text = new TextDecoder().decode(readCase(`${name}/model/config.json`));
      // Python writes small numbers with an exponent.
      const plain = text.replace(/\d(?:\.\d+)?e-\d+/g, (number) => `${Number(number)}`);
      expect(jsonText(JSON.parse(text))).toBe(plain);
    },
  );
});
