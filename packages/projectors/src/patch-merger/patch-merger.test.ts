import { ConfigError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { patchMerger } from '.';

describe('patchMerger', () => {
  it.each([
    ['2B', 1536, 34_087_936],
    ['7B', 3584, 44_575_744],
    ['72B', 8192, 68_173_312],
  ])('has the size of Qwen2-VL %s', (_, outputSize, count) => {
    expect(patchMerger().build({ inputSize: 1280, outputSize }).countParameters()).toBe(count);
  });

  it('reads config.json, with the default of the class', () => {
    const { config } = patchMerger.checkpoint;
    expect(config({})).toEqual({ mergeSize: 2 });
    expect(config({ model_type: 'qwen2_vl', vision_config: { spatial_merge_size: 3 } })).toEqual({
      mergeSize: 3,
    });
    expect(() => config({ model_type: 'qwen2_5_vl' })).toThrow(ConfigError);
    expect(() => config({ vision_config: { spatial_merge_size: 0 } })).toThrow(ConfigError);
  });
});
