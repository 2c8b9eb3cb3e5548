import { ConfigError } from '@mmllm/core';
import { decodePictures } from '../pictures/decode';
import { mergedPatches } from './arrange';
import type { ProcessorArrays } from './arrays';
import type { Video } from './conversation';

import type { ProcessorOptions, ProcessorParts } from './processor';
import { chooseFrames, prepareVideo } from './video';

/** The videos of a call. */
export interface PreparedVideos {
  readonly arrays: ProcessorArrays;
  /** How many tokens each takes. */
  readonly tokens: readonly number[];
}

/** @throws ConfigError for a processor without videos. */
export async function prepareVideos(
  { className, video: preprocessing }: ProcessorParts,
  videos: readonly Video[],
  options: ProcessorOptions,
): Promise<PreparedVideos> {
  if (videos.length === 0) return { arrays: {}, tokens: [] };
  if (!preprocessing) {
    throw new ConfigError({ component: className, expected: 'no videos', actual: `${videos.length}` });
  }
  const films = [];
  for (const { frames, framesPerSecond } of videos) {
    const chosen = chooseFrames(frames.length, options, preprocessing, framesPerSecond);
    const pictures = await decodePictures(
      chosen.map((i) => frames[i]),
      { signal: options.signal },
    );
    films.push(prepareVideo(pictures, preprocessing));
  }
  const { patchSize: side, multiple } = preprocessing.frame;
  const merge = multiple / side;
  const { patches, grids } = mergedPatches(films, { side, merge, span: preprocessing.framesPerPatch });
  return {
    arrays: { pixel_values_videos: patches, video_grid_thw: grids },
    tokens: films.map((_, i) => {
      const [time, rows, columns] = grids.data.subarray(3 * i);
      return (time * rows * columns) / (merge * merge);
    }),
  };
}
