import { ConfigError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { augmented, isAugmented, SampleStream } from './data';

const letters = ['a', 'b', 'c', 'd', 'e'];
const stream = (seed = 1, stage = 'align') => new SampleStream(letters, seed, stage);

describe('SampleStream', () => {
  it('gives every sample once in an epoch, each epoch in another order', async () => {
    const epochs = [0, 5, 10].map((start) => stream().take(start, 5));
    const orders = (await Promise.all(epochs)).map((samples) => samples.join(''));
    for (const order of orders) expect([...order].sort()).toEqual(letters);
    expect(new Set(orders).size).toBe(3);
  });

  it('depends on position only, not on what was taken before', async () => {
    const whole = await stream().take(0, 23);
    const other = stream();
    expect(await other.take(11, 12)).toEqual(whole.slice(11));
    expect(await other.take(3, 4)).toEqual(whole.slice(3, 7));
  });

  it('differs by seed and stage', async () => {
    const orders = await Promise.all(
      [stream(), stream(2), stream(1, 'instruct')].map((other) => other.take(0, 15)),
    );
    expect(new Set(orders.map(String)).size).toBe(3);
  });

  it('refuses an empty dataset', () => {
    expect(() => new SampleStream([], 0, 'align')).toThrow(ConfigError);
  });
});

describe('augmented', () => {
  const noisy = augmented(letters, (letter, random) => letter + random.integer(1e6));

  it('draws numbers that belong to the position', async () => {
    const whole = await new SampleStream(noisy, 1, 'align').take(0, 10);
    expect(await new SampleStream(noisy, 1, 'align').take(4, 3)).toEqual(whole.slice(4, 7));
    expect(new Set(whole).size).toBe(10);
    expect(whole.map((sample) => sample[0])).toEqual(await stream().take(0, 10));
  });

  it('can be applied twice, and to sources', async () => {
    const source = augmented({ length: 5, get: async (i: number) => letters[i] }, (letter) =>
      letter.toUpperCase(),
    );
    const twice = augmented(source, (letter) => `${letter}!`);
    expect((await new SampleStream(twice, 1, 'x').take(0, 5)).sort()).toEqual(['A!', 'B!', 'C!', 'D!', 'E!']);
  });

  it('says so', () => {
    expect([isAugmented(noisy), isAugmented(letters)]).toEqual([true, false]);
  });
});
