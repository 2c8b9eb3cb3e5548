import { type ImageTokens, ShapeError, type ViewTokens } from '@mmllm/core';
import { called, gridOf } from '../shared/features';
import { runsOf } from '../shared/runs';

/** What becomes one set of latents: a view, or the frames of a video one after the other. */
export interface Medium {
  readonly views: readonly ViewTokens[];
  readonly frames: number;
  /** Which one of its picture it is. */
  readonly place: number;
}

/** The media of each picture: every view is one, but frames that follow each other are one together. */
export function mediaOf(projector: string, images: readonly ImageTokens[]): Medium[][] {
  const areOne = (a: ViewTokens, b: ViewTokens) => a.role === 'frame' && b.role === 'frame';
  return images.map((image) =>
    runsOf(image.views, areOne).map((views, place) => {
      const frames = views.reduce((sum, view) => sum + framesOf(projector, view), 0);
      return { views, frames, place };
    }),
  );
}

/** All tokens of a medium. */
export const sizeOf = ({ views }: Medium): number => views.reduce((sum, { count }) => sum + count, 0);

/** The frame that each token of a medium belongs to. */
export function frameOfTokens(projector: string, { views }: Medium): number[] {
  let first = 0;
  return views.flatMap((view) => {
    const frames = framesOf(projector, view);
    const own = Array.from({ length: view.count }, (_, i) => first + Math.floor((i * frames) / view.count));
    first += frames;
    return own;
  });
}

/** @throws ShapeError for tokens in front of several frames, which belong to none of them. */
function framesOf(projector: string, view: ViewTokens): number {
  if (!view.grid || view.grid.frames === 1) return 1;
  const { frames } = gridOf(projector, view);
  if (view.prefix === 0) return frames;
  throw new ShapeError({
    component: called(projector),
    expected: `${frames} frames of equally many tokens`,
    actual: `${view.prefix} tokens in front of them`,
  });
}
