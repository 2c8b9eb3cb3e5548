import { ConfigError, PictureError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { noise } from '../testing/noise';
import { chooseFrames, prepareVideo, videoFromHuggingFace } from './video';

const qwen = videoFromHuggingFace({
  video_processor_type: 'Qwen2VLVideoProcessor',
  patch_size: 7,
  merge_size: 2,
  size: { shortest_edge: 784, longest_edge: 3136 },
});

describe('chooseFrames', () => {
  // What `Qwen2VLVideoProcessor.sample_frames` of transformers 5.18 gives.
  it.each([
    [10, { numFrames: 4 }, undefined, 4, [0, 2, 5, 7]],
    [10, { numFrames: 5 }, undefined, 4, [0, 2, 5, 7]],
    [11, { numFrames: 7 }, undefined, 8, [0, 1, 2, 4, 5, 6, 8, 9]],
    [97, { numFrames: 12 }, undefined, 12, [0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88]],
    [100, { framesPerSecond: 2 }, 30, 6, [0, 16, 33, 50, 66, 83]],
    [100, { framesPerSecond: 1.5 }, 24, 6, [0, 16, 33, 50, 66, 83]],
    [7, { framesPerSecond: 1 }, 2, 4, [0, 1, 3, 5]],
    [1000, { framesPerSecond: 30 }, 25, 768, [0, 1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14]],
    [3, { framesPerSecond: 1 }, 1, 2, [0, 1]],
    [250, { framesPerSecond: 2 }, 29.97, 16, [0, 15, 31, 46, 62, 78, 93, 109, 125, 140, 156, 171]],
    [3, {}, undefined, 3, [0, 1, 2]],
  ])('of %i with %o at %s', (total, choice, rate, count, head) => {
    const chosen = chooseFrames(total, choice, qwen, rate);
    expect(chosen.length).toBe(count);
    expect(chosen.slice(0, 12)).toEqual(head);
  });

  it.each([
    [3, { numFrames: 8 }, undefined, '1 … 3 frames, got 8'],
    [1, { framesPerSecond: 1 }, 1, '1 … 1 frames, got 0'],
    [9, { framesPerSecond: 1 }, undefined, 'the rate of the video'],
    [9, { framesPerSecond: 1, numFrames: 2 }, 1, 'numFrames or framesPerSecond, got both'],
  ])('refuses of %i %o at %s', (total, choice, rate, message) => {
    expect(() => chooseFrames(total, choice, qwen, rate)).toThrow(ConfigError);
    expect(() => chooseFrames(total, choice, qwen, rate)).toThrow(message);
  });
});

describe('prepareVideo', () => {
  it('gives all frames the size of the first', () => {
    const film = prepareVideo([noise(90, 61), noise(90, 61)], qwen);
    expect(film).toMatchObject({ rows: 6, columns: 8 });
    expect(film.frames.map((frame) => frame.length)).toEqual([48 * 147, 48 * 147]);
    expect(() => prepareVideo([noise(90, 61), noise(61, 90)], qwen)).toThrow(PictureError);
    expect(() => prepareVideo([], qwen)).toThrow('video: expected at least one frame, got none.');
  });

  it('lets frames share the tokens of a video', () => {
    const capped = videoFromHuggingFace({
      patch_size: 7,
      merge_size: 2,
      size: { shortest_edge: 784, longest_edge: 3136 },
      cap_pixels_per_frame: true,
      max_video_tokens: 20,
    });
    const frames = Array.from({ length: 6 }, () => noise(90, 61));
    // 20 tokens · 14² pixels · 0.9 · 2 frames a patch ÷ 6 frames = 1176 pixels a frame.
    expect(prepareVideo(frames, capped)).toMatchObject({ rows: 4, columns: 4 });
    expect(prepareVideo(frames, qwen)).toMatchObject({ rows: 6, columns: 8 });
  });

  it('knows no other class', () => {
    expect(() => videoFromHuggingFace({ video_processor_type: 'InternVLVideoProcessor' })).toThrow(
      ConfigError,
    );
  });
});
