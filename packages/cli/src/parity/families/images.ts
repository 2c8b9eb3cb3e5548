import {
  CheckpointError,
  disposeImages,
  type ImagePreprocessing,
  type Picture,
  type Resample,
} from '@mmllm/core';
import { decodePicture, prepareImages, preprocessingFromHuggingFace, resize } from '@mmllm/processors';
import type { ParityCase } from '../case';
import type { Comparison } from '../comparison';
import type { ParityFamilies, ParityFamily } from '.';
import {
  aspectRatioId,
  aspectRatioMask,
  blocks,
  channelsFirst,
  columnsAndRows,
  filledCanvas,
  gridOfPatches,
  type ImageArray,
  originalSize,
  pixelMask,
  preparedSize,
  rowsAndColumns,
  sizeInGrid,
  tags,
  unpacked,
} from './image-arrays';
import { molmoArrays } from './molmo-arrays';

/** The arrays of a case by what stands behind the picture's number in their names. */
type ImageArrays = Readonly<Record<string, ImageArray>>;

const views = { pixel_values: channelsFirst() };

/** By what stands behind `images-`. */
const arrays: Readonly<Record<string, ImageArrays>> = {
  clip: views,
  siglip: views,
  vit: views,
  'llava-pad': views,
  janus: views,
  internvl: views,
  'llava-next': { pixel_values: channelsFirst(1), image_sizes: originalSize },
  mllama: {
    pixel_values: channelsFirst(2),
    aspect_ratio_ids: aspectRatioId,
    aspect_ratio_mask: aspectRatioMask,
  },
  'qwen2-vl': { pixel_values: blocks, image_grid_thw: gridOfPatches },
  pixtral: { pixel_values: unpacked, image_sizes: preparedSize },
  emu3: { pixel_values: unpacked, image_sizes: preparedSize },
  aria: { ...views, pixel_mask: pixelMask },
  fuyu: { images: filledCanvas },
  nvlm: { ...views, grid: columnsAndRows, tags },
  mm15: { ...views, grid: rowsAndColumns, resized: sizeInGrid },
};

/** A picture of the case by its number. */
async function pictureOf(golden: ParityCase, number: string): Promise<Picture> {
  const { images } = golden.description;
  const name = Array.isArray(images) ? images[Number(number)] : undefined;
  if (typeof name === 'string') return decodePicture(await golden.bytes(name));
  throw new CheckpointError({
    component: 'case.json.images',
    expected: `the file of picture ${number}`,
    actual: JSON.stringify(name) ?? 'nothing',
  });
}

/** The names of the outputs that begin so, without that beginning. */
const outputsOf = (golden: ParityCase, start: string): string[] =>
  golden.names.filter((name) => name.startsWith(start)).map((name) => name.slice(start.length));

/** Prepares one picture, and compares all that the case has of it. */
async function compareArrays(
  golden: ParityCase,
  comparison: Comparison,
  start: string,
  picture: Picture,
  preprocessing: ImagePreprocessing,
  known: ImageArrays,
): Promise<void> {
  const batch = prepareImages([picture], preprocessing);
  try {
    for (const key of outputsOf(golden, start)) {
      if (!Object.hasOwn(known, key)) {
        throw new CheckpointError({
          component: `${start}${key}`,
          expected: `one of ${Object.keys(known).join(', ')}`,
          actual: `'${key}'`,
        });
      }
      await comparison.give(`${start}${key}`, known[key](batch, preprocessing));
    }
  } finally {
    disposeImages(batch);
  }
}

/** The pictures of a case as its `preprocessor_config.json` wants them, one by one. */
const preprocessing =
  (known: ImageArrays): ParityFamily =>
  async (golden, comparison) => {
    const read = preprocessingFromHuggingFace(await golden.folder.preprocessorConfig());
    const numbers = new Set(outputsOf(golden, 'out.').map((name) => name.split('.', 1)[0]));
    for (const number of numbers) {
      const picture = await pictureOf(golden, number);
      await compareArrays(golden, comparison, `out.${number}.`, picture, read, known);
    }
  };

/** Molmo's crops by several settings, whose keys go before those of the file. */
const molmo: ParityFamily = async (golden, comparison) => {
  const config = await golden.folder.preprocessorConfig();
  const settings = golden.description.settings as Record<string, { pictures: number[] }>;
  for (const [name, setting] of Object.entries(settings)) {
    const read = preprocessingFromHuggingFace({ ...config, ...setting });
    for (const number of setting.pictures) {
      const start = `out.${name}.${number}.`;
      const picture = await pictureOf(golden, `${number}`);
      const known = await molmoArrays(golden, start);
      await compareArrays(golden, comparison, start, picture, read, known);
    }
  }
};

/** Pillow's own resize of bytes, to the last bit. */
const resizing: ParityFamily = async (golden, comparison) => {
  const jobs = golden.description.jobs as [number, number, number, number, string][];
  for (const [i, [, , width, height, filter]] of jobs.entries()) {
    const { shape, data } = await golden.ints(`in.${i}`);
    const picture = { data: Uint8Array.from(data), height: shape[0], width: shape[1] };
    const resized = resize(picture, { width, height }, filter.toLowerCase() as Resample);
    await comparison.give(`out.${i}`, { shape: [height, width, 3], data: Int32Array.from(resized.data) });
  }
};

/** Pictures alone: decoded, resized and prepared as published processors do. */
export const imageFamilies: ParityFamilies = {
  ...Object.fromEntries(
    Object.entries(arrays).map(([name, known]) => [`images-${name}`, preprocessing(known)]),
  ),
  'images-molmo': molmo,
  'images-resize': resizing,
};
