import { startBackend } from '@mmllm/backends';
import { loadWeights } from '@mmllm/checkpoints';
import { compareTensors, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, type Module, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { openParityCase } from '../../cli/src/parity';
import { densePictures } from '../../cli/src/parity/families/pictures';
import { fixtureFiles } from '../../cli/src/testing/case-files';
import { keysOf, savedOtherwise } from '../../vision-encoders/src/testing/saved';
import { isKeyBias, unnoticed } from '../../vision-encoders/src/testing/zeroing';
import { emu3Vq, janusVq } from './index';
import { type Tokenizer, tinyTokenizers } from './testing/tiny';

beforeAll(() => startBackend({ backend: 'wasm' }));

const families = { 'janus-vq': janusVq, 'emu3-vq': emu3Vq } as const;
type Family = keyof typeof families;
const NAMES = Object.keys(families) as Family[];

/** The tokenizer of a case with its weights, and the pixels of the case. */
async function load(name: Family) {
  const golden = await openParityCase(fixtureFiles(`${name}/base`));
  const family = families[name];
  const config = family.checkpoint.config(await golden.config());
  const tokenizer: Tokenizer = family(config);
  const names = family.checkpoint.names(config);
  const weights = await golden.weights();
  await loadWeights(tokenizer, weights, names);
  const { pixels } = densePictures(await golden.floats('in.pixels'));
  return { golden, tokenizer, names, weights, pixels };
}

describe.each(NAMES)('%s', (name) => {
  it('has the very names of the file, and is saved as it was', async () => {
    const { golden, tokenizer, names, weights, pixels } = await load(name);
    const isParameter = (key: string) => !key.endsWith('.num_batches_tracked');
    expect(new Set(keysOf(tokenizer, names))).toEqual(new Set([...weights.keys()].filter(isParameter)));
    expect(await savedOtherwise(tokenizer, names, weights, isParameter)).toEqual([]);
    expect(tokenizer.countParameters()).toBe(golden.description.parameters);
    pixels.dispose();
    tokenizer.dispose();
    await golden.close();
  });

  it('would show any parameter that is left out', async () => {
    const { golden, tokenizer, pixels: whole } = await load(name);
    const pixels = tf.slice(whole, [0, 0, 0, 0], [1, 8, 12, 3]);
    const codes = tokenizer.encode(pixels);
    // Where a channel is a group of its own, a norm takes away what is added to the whole of it.
    const isNormedAway = (path: string) =>
      /(conv\d|shortcut)\.bias$/.test(path) && tokenizer.parameter(path).size === 32;
    const outputs = () => [tokenizer.latents(pixels), tokenizer.decode(codes)];
    const before = outputs();
    const unseen = await unnoticed(tokenizer, async () => {
      const after = outputs();
      const same = await Promise.all(after.map((x, i) => compareTensors(x, before[i]!, { tolerance: 1e-6 })));
      tf.dispose(after);
      return same.some(({ ok }) => !ok);
    });
    expect(unseen.filter((path) => !isKeyBias(path) && !isNormedAway(path))).toEqual([]);
    tf.dispose([whole, pixels, codes, before]);
    tokenizer.dispose();
    await golden.close();
  });
});

describe('published sizes', () => {
  const count = (module: Module) => module.countParameters();

  it('of Janus', () => {
    const tokenizer = janusVq();
    expect(count(tokenizer)).toBe(71_883_403);
    expect(tokenizer).toMatchObject({ codebookSize: 16_384, codeSize: 8, stride: 16 });
    expect(janusVq.checkpoint.config({ num_patches: 24 })).toMatchObject({ imageSize: 384 });
  });

  it('of Emu3, part by part; running statistics do not count', () => {
    const tokenizer = emu3Vq();
    const { encoder, temporalEncoder, decoder, temporalDecoder, codebook, quantConv } = tokenizer;
    expect(count(encoder) + count(temporalEncoder)).toBe(109_488_252);
    expect(count(decoder) + count(temporalDecoder)).toBe(161_120_859);
    expect(count(codebook)).toBe(131_072);
    expect(count(quantConv)).toBe(52);
    expect(count(tokenizer)).toBe(270_740_287);
    expect(tokenizer).toMatchObject({ codebookSize: 32_768, codeSize: 4, stride: 8 });
    expect(tokenizer.preprocessing).toMatchObject({ kind: 'packed', patchSize: 8, multiple: 8 });
  });
});

describe('configurations', () => {
  it.each<[string, () => unknown]>([
    ['an unknown key', () => janusVq({ codes: 3 } as object)],
    ['channels that the groups do not divide', () => janusVq({ baseChannels: 48 })],
    ['no resolutions', () => emu3Vq({ channelMultipliers: [] })],
    ['too many resolutions', () => emu3Vq({ channelMultipliers: new Array(9).fill(1) })],
    ['heads that do not divide', () => emu3Vq({ numHeads: 3 })],
    ['frames that are no power of 2', () => emu3Vq({ framesPerCode: 3 })],
    ['more layers than any has', () => janusVq({ numResBlocks: 2 ** 20 })],
    ['two latents', () => janusVq.checkpoint.config({ double_latent: true })],
    ['latents of another width than codes', () => emu3Vq.checkpoint.config({ latent_channels: 8 })],
    ['attention of another width', () => emu3Vq.checkpoint.config({ hidden_size: 512 })],
    ['no object', () => emu3Vq.checkpoint.config(3)],
  ])('with %s are refused', (_, build) => {
    expect(build).toThrow(ConfigError);
  });

  it('are read from a model that nests them', () => {
    const vq_config = { codebook_size: 50, base_channels: 64, hidden_size: 256 };
    expect(emu3Vq.checkpoint.config({ vq_config })).toEqual({
      codebookSize: 50,
      codeSize: 4,
      baseChannels: 64,
      channelMultipliers: [1, 2, 2, 4],
      numResBlocks: 2,
      attentionLevels: [3],
      numHeads: 1,
      framesPerCode: 4,
    });
  });
});

describe.each(Object.keys(tinyTokenizers))('inputs of %s', (name) => {
  it('may have any size that the stride divides', async () => {
    await expectNoLeak(() => {
      const tokenizer = tinyTokenizers[name]!();
      tokenizer.initialize();
      tf.tidy(() => {
        const codes = tokenizer.encode(tf.zeros([2, 6, 10, 3]));
        expect(codes.shape).toEqual([2, 3, 5]);
        expect(tokenizer.decode(codes).shape).toEqual([2, 6, 10, 3]);
      });
      tokenizer.dispose();
    });
  });

  it('are refused otherwise', () => {
    const tokenizer = tinyTokenizers[name]!();
    tf.tidy(() => {
      expect(() => tokenizer.encode(tf.zeros([1, 5, 4, 3]))).toThrow(ShapeError);
      expect(() => tokenizer.encode(tf.zeros([1, 4, 4, 4]))).toThrow(ShapeError);
      expect(() => tokenizer.decode(tf.zeros([1, 2, 2]))).toThrow(ShapeError);
    });
  });
});
