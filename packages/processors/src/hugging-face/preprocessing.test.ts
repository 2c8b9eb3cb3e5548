import '@tensorflow/tfjs-backend-cpu';
import { ConfigError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeDigests } from '../testing/digests';
import { caseJson, golden } from '../testing/golden';
import { channelsLast, expectPrepared, picturesOf } from '../testing/reference';
import { preprocessingFromHuggingFace } from './preprocessing';

type Json = Record<string, unknown>;
const configOf = (name: string) => caseJson<Json>(`${name}/preprocessor_config.json`);

/** The cases whose arrays are views of one size. The other kinds have tests of their own, by the same descriptions. */
const dense = [
  'clip',
  'siglip',
  'vit',
  'llava-pad',
  'janus',
  'internvl',
  'nvlm',
  'llava-next',
  'mllama',
  'mm15',
];

describe.each(dense.map((name) => `images-${name}/base`))('the file of %s', (name) => {
  it('describes what the reference does', async () => {
    const tensors = golden(name);
    await expectPrepared(new Map((await picturesOf(name)).entries()), {
      preprocessing: preprocessingFromHuggingFace(configOf(name)),
      tolerance: 1e-6,
      expected: (i) => channelsLast(tensors[`out.${i}.pixel_values`]),
    });
  });
});

describeDigests();

describe('preprocessingFromHuggingFace', () => {
  it('reads the files of all kinds that are not dense', () => {
    const plain = { rescale: 1 / 255, resample: 'bicubic' };
    expect(preprocessingFromHuggingFace(configOf('images-qwen2-vl/base'))).toMatchObject({
      ...plain,
      kind: 'packed',
      patchSize: 7,
      multiple: 14,
      framesPerPatch: 2,
      size: { rule: 'pixels', min: 784, max: 3136 },
    });
    expect(preprocessingFromHuggingFace(configOf('images-pixtral/base'))).toMatchObject({
      ...plain,
      kind: 'packed',
      patchSize: 8,
      multiple: 8,
      size: { rule: 'longestEdge', longestEdge: 56 },
    });
    expect(preprocessingFromHuggingFace(configOf('images-emu3/base'))).toMatchObject({
      ...plain,
      kind: 'packed',
      patchSize: 8,
      size: { rule: 'pixels', min: 1024, max: 3136 },
    });
    expect(preprocessingFromHuggingFace(configOf('images-aria/base'))).toEqual({
      ...plain,
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
      kind: 'padded',
      patchSize: 14,
      longestEdge: 490,
      minShortEdge: 336,
    });
    expect(preprocessingFromHuggingFace(configOf('images-fuyu/base'))).toEqual({
      ...plain,
      resample: 'bilinear',
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
      kind: 'patches',
      patchSize: 10,
      maxSize: { height: 112, width: 112 },
      padValue: 1,
    });
    expect(preprocessingFromHuggingFace(configOf('images-molmo/base'))).toMatchObject({
      kind: 'crops',
      cropSize: { height: 336, width: 336 },
      patchSize: 14,
      maxCrops: 12,
      overlap: [4, 4],
    });
  });

  it('reads the released Aria, which leaves out its resolutions', () => {
    const { split_resolutions, ...config } = configOf('images-aria/base');
    const split = (json: Json) => preprocessingFromHuggingFace({ ...json, split_image: true });
    expect(split(config)).toEqual(split({ ...config, split_resolutions }));
  });

  it('reads a processor_config.json, in which the processor has its say', () => {
    const of = (image_processor: Json, processor: Json) =>
      preprocessingFromHuggingFace({ image_processor, ...processor });
    const internVl = { ...configOf('images-internvl/base'), crop_to_patches: false };
    expect(of(internVl, { processor_class: 'InternVLProcessor' }).kind).toBe('tiles');
    expect(of(internVl, { processor_class: 'GotOcr2Processor' }).kind).toBe('fixed');
    expect(of(configOf('images-pixtral/base'), { spatial_merge_size: 2 })).toMatchObject({
      patchSize: 8,
      multiple: 16,
    });
  });

  it('reads nulls as what the class has', () => {
    const config = {
      image_processor_type: 'CLIPImageProcessor',
      size: null,
      image_std: null,
      resample: null,
    };
    expect(preprocessingFromHuggingFace(config)).toEqual(
      preprocessingFromHuggingFace({ feature_extractor_type: 'CLIPFeatureExtractor' }),
    );
  });

  it.each<[Json, string]>([
    [{}, 'image_processor_type: expected one of Aria, CLIP'],
    [{ image_processor_type: 'CLIP' }, 'got "CLIP"'],
    [{ image_processor_type: 'toStringImageProcessor' }, 'image_processor_type'],
    [{ image_processor_type: 'CLIPImageProcessor', resample: 5 }, 'preprocessor_config.json.resample'],
    [{ image_processor_type: 'CLIPImageProcessor', do_resize: false }, 'do_resize'],
    [{ image_processor_type: 'CLIPImageProcessor', do_center_crop: false }, 'do_center_crop'],
    [{ image_processor_type: 'CLIPImageProcessor', size: { shortest_edge: 9, longest_edge: 20 } }, 'size'],
    [{ image_processor_type: 'CLIPImageProcessor', size: { longest_edge: 20 } }, 'size'],
    [{ image_processor_type: 'CLIPImageProcessor', size: 0 }, 'size'],
    [{ image_processor_type: 'CLIPImageProcessor', size: [9, 9], crop_size: 8 }, 'crop_size'],
    [{ image_processor_type: 'CLIPImageProcessor', image_std: [1, 0, 1] }, 'image_std'],
    [{ image_processor_type: 'CLIPImageProcessor', image_mean: [1, 2] }, 'image_mean'],
    [{ image_processor_type: 'SiglipImageProcessor', size: 224 }, 'do_center_crop'],
    [{ image_processor_type: 'LlavaImageProcessor', do_pad: true, crop_size: 100 }, 'crop_size'],
    [{ image_processor_type: 'LlavaNextImageProcessor', crop_size: 100 }, 'crop_size'],
    [
      { image_processor_type: 'LlavaNextImageProcessor', size: { shortest_edge: 224, longest_edge: 300 } },
      'size',
    ],
    [{ image_processor_type: 'MllamaImageProcessor', size: [9, 8] }, 'size'],
    [{ image_processor_type: 'MllamaImageProcessor', do_pad: false }, 'do_pad'],
    [{ image_processor_type: 'Qwen2VLImageProcessor', size: { shortest_edge: 9 } }, 'size'],
    [{ image_processor_type: 'PixtralImageProcessor', patch_size: [8, 9] }, 'patch_size'],
    [{ image_processor_type: 'FuyuImageProcessor', padding_mode: 'reflect' }, 'padding_mode'],
    [{ image_processor_type: 'JanusImageProcessor', size: [9, 8] }, 'size'],
    [{ image_processor_type: 'MolmoImageProcessor', image_padding_mask: false }, 'image_padding_mask'],
  ])('refuses %j', (config, message) => {
    expect(() => preprocessingFromHuggingFace(config)).toThrow(ConfigError);
    expect(() => preprocessingFromHuggingFace(config)).toThrow(message);
  });

  it('reads, or refuses with a ConfigError, whatever a file holds', () => {
    const files = [...dense, 'qwen2-vl', 'pixtral', 'emu3', 'aria', 'fuyu', 'molmo'].map((name) =>
      configOf(`images-${name}/base`),
    );
    const changed = fc.constantFrom(...files).chain((config) =>
      fc
        .record({ key: fc.constantFrom(...Object.keys(config)), value: fc.jsonValue() })
        .map(({ key, value }) => ({
          ...config,
          [key]: value,
        })),
    );
    fc.assert(
      fc.property(fc.oneof(changed, fc.jsonValue()), fc.jsonValue(), (config, processor) => {
        const json = { image_processor: config, spatial_merge_size: processor };
        for (const file of [config, json]) {
          try {
            expect(preprocessingFromHuggingFace(file)).toHaveProperty('kind');
          } catch (error) {
            if (!ConfigError.isInstance(error)) throw error;
          }
        }
      }),
      { numRuns: 2000, seed: 6 },
    );
  });

  it('makes no tensor', () => {
    const before = tf.memory().numTensors;
    preprocessingFromHuggingFace(configOf('images-clip/base'));
    expect(tf.memory().numTensors).toBe(before);
  });

  it('lays pictures over white for Llama 3.2 alone, unless they are not converted', () => {
    const alpha = (type: string, keys = {}) =>
      preprocessingFromHuggingFace({ image_processor_type: `${type}ImageProcessor`, ...keys });
    expect(alpha('Mllama')).toMatchObject({ alpha: 'white' });
    expect(alpha('Mllama', { do_convert_rgb: false })).not.toHaveProperty('alpha');
    for (const type of ['CLIP', 'LlavaNext', 'Qwen2VL', 'Pixtral']) {
      expect(alpha(type)).not.toHaveProperty('alpha');
    }
  });
});
