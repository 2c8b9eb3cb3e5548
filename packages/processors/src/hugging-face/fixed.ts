import type { FixedPreprocessing, Resample } from '@mmllm/core';
import { z } from 'zod';
import {
  box,
  clipMean,
  clipStd,
  count,
  demand,
  type Edges,
  flag,
  half,
  meanColour,
  normalisationKeys,
  normalisationOf,
  only,
  or,
  reader,
  refuse,
  resample,
  shortestEdge,
  size,
  squareSide,
} from './fields';

interface Usual {
  readonly mean: typeof half;
  readonly std: typeof half;
  readonly resample: Resample;
  readonly size: Edges;
  /** What a number stands for as size. */
  readonly number: 'square' | 'shortest edge';
  readonly centerCrop: boolean;
}

const square = (side: number): Edges => ({ height: side, width: side });

/** What all classes without a rule of their own have. Pictures of one size need no padding in a batch. */
const keys = (usual: Usual) => ({
  ...normalisationKeys(usual.mean, usual.std),
  do_resize: only(true),
  size: size(usual.number, usual.size),
  resample: resample(usual.resample),
  do_center_crop: flag(usual.centerCrop),
  crop_size: size('square', square(224)),
  pad_size: z.null().optional(),
});
type Keys = z.output<z.ZodObject<ReturnType<typeof keys>>>;

/** Resized straight to a size, or by the shortest edge and then cut. */
function fixed(values: Keys): FixedPreprocessing {
  const shared = { kind: 'fixed', ...normalisationOf(values), resample: values.resample } as const;
  const crop = values.do_center_crop ? box('crop_size', values.crop_size) : undefined;
  const { shortest_edge: edge, longest_edge: longest } = values.size;
  if (!edge || longest) {
    demand('size', !longest, 'height and width, or shortest_edge', values.size);
    const size = box('size', values.size);
    const same = !crop || (crop.height === size.height && crop.width === size.width);
    demand('crop_size', same, 'the size itself', crop);
    return { ...shared, size, fit: 'stretch' };
  }
  if (!crop) return refuse('do_center_crop', 'true where size is a shortest_edge', false);
  const covers = crop.height === edge && crop.width === edge;
  return { ...shared, size: crop, fit: 'crop', ...(!covers && { shortestEdge: edge }) };
}

const clipUsual: Usual = {
  mean: clipMean,
  std: clipStd,
  resample: 'bicubic',
  size: { shortest_edge: 224 },
  number: 'shortest edge',
  centerCrop: true,
};

export const clip = reader(z.object({ ...keys(clipUsual), use_square_size: only(false) }), fixed);

export const siglip = reader(
  z.object(keys({ ...clipUsual, mean: half, std: half, size: square(224), centerCrop: false })),
  fixed,
);

export const vit = reader(
  z.object(
    keys({
      mean: half,
      std: half,
      resample: 'bilinear',
      size: square(224),
      number: 'square',
      centerCrop: false,
    }),
  ),
  fixed,
);

/** CLIP's, unless pictures are padded to a square of the mean colour first. */
export const llava = reader(z.object({ ...keys(clipUsual), do_pad: flag(false) }), (values) => {
  if (!values.do_pad) return fixed(values);
  const side = shortestEdge('size', values.size);
  const { height, width } = values.crop_size;
  const same = !values.do_center_crop || (height === side && width === side);
  demand('crop_size', same, `${side}×${side}, the size itself`, values.crop_size);
  return {
    kind: 'fixed',
    ...normalisationOf(values),
    size: { height: side, width: side },
    fit: 'pad',
    resample: values.resample,
    background: meanColour(values.image_mean),
  } as const;
});

/** `background_color` is not read: transformers computes it from the mean, whatever the file says. */
export const janus = reader(
  z.object({
    ...normalisationKeys(clipMean, clipStd),
    do_resize: only(true),
    do_pad: only(true),
    size: size('square', square(384)),
    min_size: or(count, 14),
    resample: resample('bicubic'),
  }),
  (values): FixedPreprocessing => {
    const side = squareSide('size', values.size);
    return {
      kind: 'fixed',
      ...normalisationOf(values),
      size: { height: side, width: side },
      fit: 'letterbox',
      resample: values.resample,
      background: meanColour(values.image_mean),
      minShortEdge: values.min_size,
    };
  },
);
