import { type FusionInputs, type Positions, ShapeError, type TokenGrid } from '@mmllm/core';
import { gridOf } from './arrangements/grid';
import { countsInText, type PlacedImage } from './images';

/**
 * Positions of three axes: time, row and column (M-RoPE, Wang et al. 2024, arXiv:2409.12191). Text counts on all axes
 * alike; the tokens of a picture count frames, rows and columns from where it begins, and the text goes on behind the
 * largest of them. Padding in front gets 0.
 *
 * @throws ShapeError for a picture whose tokens are not those of its grids in order.
 */
export function gridPositions(
  component: string,
  { ids, start, blocks }: Pick<FusionInputs, 'ids' | 'start' | 'blocks'>,
  images: readonly PlacedImage[],
): Positions {
  const [batch, length] = ids.shape;
  const size = batch * length;
  const data = new Int32Array(3 * size);
  const put = (place: number, axes: readonly number[]) => {
    axes.forEach((position, axis) => {
      data[axis * size + place] = position;
    });
  };
  for (let sample = 0; sample < batch; sample++) {
    const grids = images
      .filter((image) => image.sample === sample)
      .flatMap((image) => viewsInText(component, image));
    let [next, view] = [0, 0];
    for (let t = start?.[sample] ?? 0; t < length; ) {
      const place = sample * length + t;
      if (blocks && t > 0 && blocks[place] !== blocks[place - 1]) next = 0;
      const grid = grids[view];
      if (grid?.first !== t) {
        put(place, [next, next, next]);
        next++;
        t++;
        continue;
      }
      const { frames, rows, columns } = grid;
      for (let i = 0; i < frames * rows * columns; i++) {
        const [frame, inFrame] = [Math.floor(i / (rows * columns)), i % (rows * columns)];
        put(place + i, [next + frame, next + Math.floor(inFrame / columns), next + (inFrame % columns)]);
      }
      next += Math.max(frames, rows, columns);
      t += frames * rows * columns;
      view++;
    }
  }
  return { data, axes: 3, shape: [batch, length] };
}

/** The grids of a picture's views, and where in the text each begins. Frames that follow each other are one grid. */
function viewsInText(component: string, { image, positions }: PlacedImage): GridInText[] {
  let token = 0;
  const grids = image.views.filter(countsInText).map((view): GridInText => {
    const grid = gridOf(component, view);
    const first = positions[token] ?? -1;
    token += view.count;
    const isRun = view.prefix === 0 && positions[token - 1] === first + view.count - 1;
    if (isRun) return { ...grid, first, isFrame: view.role === 'frame' };
    throw new ShapeError({
      component,
      expected: `${view.count} image tokens in a run for each view of a picture`,
      actual: 'other tokens between them',
    });
  });
  const joined: GridInText[] = [];
  for (const grid of grids) {
    const before = joined.at(-1);
    if (before && goesOn(before, grid)) before.frames += grid.frames;
    else joined.push({ ...grid });
  }
  return joined;
}

/** Whether a frame follows those before it. */
const goesOn = (before: GridInText, { first, rows, columns, isFrame }: GridInText): boolean =>
  before.isFrame &&
  isFrame &&
  before.rows === rows &&
  before.columns === columns &&
  before.first + before.frames * rows * columns === first;

interface GridInText extends Omit<TokenGrid, 'frames'> {
  frames: number;
  readonly first: number;
  readonly isFrame: boolean;
}
