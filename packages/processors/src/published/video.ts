import { ConfigError, type PackedPreprocessing, type Picture, PictureError, parseConfig } from '@mmllm/core';
import { z } from 'zod';
import { count, flag, type Json, or } from '../hugging-face/fields';
import { qwen2Vl } from '../hugging-face/packed';
import { preparePacked } from '../prepare/packed';
import { roundHalfEven } from '../prepare/rounding';
import type { FramePatches } from './arrange';

/** How frames are chosen and prepared. */
export interface VideoPreprocessing {
  /** Of one frame. */
  readonly frame: PackedPreprocessing;
  /** Frames that one patch spans. */
  readonly framesPerPatch: number;
  readonly minFrames: number;
  readonly maxFrames: number;
  /** Tokens that all frames together may take; absent: only each frame is bounded. */
  readonly maxTokens?: number;
}

/** Which frames are taken. Without either, all are. */
export interface FrameChoice {
  /** How many, evenly spaced; rounded to whole patches of frames. */
  readonly numFrames?: number;
  /** How many of each second; the video's own rate has to be known. */
  readonly framesPerSecond?: number;
}

const keys = z.object({
  video_processor_type: z.literal('Qwen2VLVideoProcessor').nullish(),
  size: z.unknown().optional(),
  temporal_patch_size: or(count, 2),
  min_frames: or(count, 4),
  max_frames: or(count, 768),
  cap_pixels_per_frame: flag(false),
  max_video_tokens: or(count, 128_000),
});

/**
 * Reads the `video_processor` of a `processor_config.json`, or a `video_preprocessor_config.json`, of Qwen2-VL.
 * @throws ConfigError for another class, and for a value outside the known set.
 */
export function videoFromHuggingFace(json: Json): VideoPreprocessing {
  const config = parseConfig('video_processor', keys, json as z.input<typeof keys>);
  const size = json.size ?? { shortest_edge: 128 * 28 * 28, longest_edge: 768 * 28 * 28 };
  return {
    // A video repeats no frame but its last.
    frame: { ...qwen2Vl({ ...json, size }, {}), framesPerPatch: 1 },
    framesPerPatch: config.temporal_patch_size,
    minFrames: config.min_frames,
    maxFrames: config.max_frames,
    ...(config.cap_pixels_per_frame && { maxTokens: config.max_video_tokens }),
  };
}

/**
 * Indices of the frames that are taken.
 *
 * Source: `sample_frames` of transformers' `Qwen2VLVideoProcessor`, after `smart_nframes` in QwenLM/Qwen2-VL.
 *
 * @param rate frames per second of the video itself
 * @throws ConfigError if more frames are asked for than there are, or the rate is needed and not known.
 */
export function chooseFrames(
  total: number,
  { numFrames, framesPerSecond }: FrameChoice,
  { framesPerPatch: span, minFrames, maxFrames }: VideoPreprocessing,
  rate?: number,
): number[] {
  const refuse = (expected: string, actual: string): never => {
    throw new ConfigError({ component: 'video', expected, actual });
  };
  if (numFrames !== undefined && framesPerSecond !== undefined) {
    refuse('numFrames or framesPerSecond', 'both');
  }
  const wholePatches = (frames: number, round: (value: number) => number) => round(frames / span) * span;
  let wanted = total;
  if (numFrames !== undefined) wanted = wholePatches(numFrames, roundHalfEven);
  if (framesPerSecond !== undefined) {
    if (!rate) return refuse('the rate of the video, to take frames by the second', 'none');
    const most = wholePatches(Math.min(maxFrames, total), Math.floor);
    const even = (total / rate) * framesPerSecond;
    wanted = wholePatches(Math.min(Math.max(even, minFrames), most, total), Math.floor);
  }
  if (wanted > total || wanted < 1) refuse(`1 … ${total} frames`, `${wanted}`);
  const step = total / wanted;
  return Array.from({ length: Math.ceil(total / step) }, (_, i) => Math.trunc(Math.fround(i * step)));
}

/**
 * The patches of each frame. All frames have the size of the first.
 * @throws PictureError for no frame, or frames of several sizes.
 */
export function prepareVideo(frames: readonly Picture[], preprocessing: VideoPreprocessing): FramePatches {
  const [first] = frames;
  const other = frames.find(({ width, height }) => width !== first.width || height !== first.height);
  if (!first || other) {
    const expected = first ? `frames of ${first.width}×${first.height}` : 'at least one frame';
    const actual = other ? `one of ${other.width}×${other.height}` : 'none';
    throw new PictureError({ component: 'video', expected, actual });
  }
  const frame = bounded(frames.length, preprocessing);
  const prepared = frames.map((picture) => preparePacked([picture], frame));
  const [{ height, width }] = prepared[0].images[0].views;
  return {
    frames: prepared.map(({ patches }) => patches.data),
    rows: height / frame.patchSize,
    columns: width / frame.patchSize,
  };
}

/** The preprocessing of a frame where all together may take so many tokens. */
function bounded(
  numFrames: number,
  { frame, framesPerPatch, maxTokens }: VideoPreprocessing,
): PackedPreprocessing {
  if (maxTokens === undefined || frame.size.rule !== 'pixels') return frame;
  const { min, max } = frame.size;
  const total = Math.trunc(maxTokens * frame.multiple * frame.multiple * 0.9);
  const share = Math.floor((total * framesPerPatch) / numFrames);
  return { ...frame, size: { ...frame.size, max: Math.max(Math.min(max, share), Math.trunc(min * 1.05)) } };
}
