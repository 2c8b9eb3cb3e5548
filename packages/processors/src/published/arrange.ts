import { ConfigError } from '@mmllm/core';
import type { HostArray } from '../host-array';
import type { HostDense, HostImages, HostPacked } from '../prepare/host';

/** float32[views, height, width, 3] to float32[views, 3, height, width]. */
export function channelsFirst({ data, shape }: HostDense['pixels']): HostArray<Float32Array> {
  const [views, height, width] = shape;
  const area = height * width;
  const result = new Float32Array(data.length);
  for (let view = 0; view < views; view++) {
    for (let channel = 0; channel < 3; channel++) {
      const at = (view * 3 + channel) * area;
      for (let i = 0; i < area; i++) result[at + i] = data[(view * area + i) * 3 + channel];
    }
  }
  return { data: result, shape: [views, 3, height, width] };
}

/** Each picture of a kind that makes one view or several of one size: `pixel_values`, float32[views, 3, height, width]. */
export const viewsOf = (images: HostImages): HostArray<Float32Array> => channelsFirst(dense(images).pixels);

/**
 * float32[pictures, most views, 3, height, width] from the views of each picture, filled up with zeros.
 * @param group numbers of views
 */
export function filledGroups(
  { data, shape }: HostArray<Float32Array>,
  groups: readonly number[],
): HostArray<Float32Array> {
  const [, ...view] = shape;
  const length = view.reduce((product, side) => product * side, 1);
  const most = Math.max(...groups);
  const result = new Float32Array(groups.length * most * length);
  let from = 0;
  groups.forEach((count, group) => {
    result.set(data.subarray(from * length, (from + count) * length), group * most * length);
    from += count;
  });
  return { data: result, shape: [groups.length, most, ...view] };
}

/** One packed picture of one frame a patch, whole again. */
interface Unpacked {
  readonly height: number;
  readonly width: number;
  /** Writes float32[3, height, width] into rows of `width` values, `plane` values from channel to channel. */
  write(target: Float32Array, offset: number, width: number, plane: number): void;
}

/** `pixel_values` float32[pictures, 3, tallest, broadest], filled with zeros at the right and bottom, and the real sizes. */
export function paddedToLargest(images: HostImages, side: number) {
  const pictures = unpacked(packed(images), side);
  const height = Math.max(...pictures.map((picture) => picture.height));
  const width = Math.max(...pictures.map((picture) => picture.width));
  const data = new Float32Array(pictures.length * 3 * height * width);
  pictures.forEach((picture, i) => {
    picture.write(data, i * 3 * height * width, width, height * width);
  });
  return {
    pixel_values: { data, shape: [pictures.length, 3, height, width] },
    image_sizes: rows(pictures.map((picture) => [picture.height, picture.width])),
  };
}

function unpacked({ images, patches }: HostPacked, side: number): Unpacked[] {
  let next = 0;
  return images.map(({ views: [{ height, width }] }) => {
    const first = next;
    const columns = width / side;
    next += (height / side) * columns;
    return {
      height,
      width,
      write(target, offset, rowLength, plane) {
        for (let i = 0; i < height * width; i++) {
          const [y, x] = [Math.floor(i / width), i % width];
          const patch = first + Math.floor(y / side) * columns + Math.floor(x / side);
          const from = ((patch * side + (y % side)) * side + (x % side)) * 3;
          const at = offset + y * rowLength + x;
          for (let channel = 0; channel < 3; channel++)
            target[at + channel * plane] = patches.data[from + channel];
        }
      },
    };
  });
}

/** Patches of one picture or video, `float32[rows · columns, side · side · 3]` of each frame, row by row. */
export interface FramePatches {
  readonly frames: readonly Float32Array[];
  readonly rows: number;
  readonly columns: number;
}

/**
 * Patches in Qwen2-VL's order: blocks of `merge` × `merge` patches that become one token stand together, and a patch of
 * several frames is flattened (channel, frame, row, column). The last frame is repeated to fill the last patch.
 *
 * @returns float32[patches, 3 · span · side · side], and of each picture how many patches it has along time, height
 * and width: int32[pictures, 3].
 */
export function mergedPatches(
  pictures: readonly FramePatches[],
  { side, merge, span }: { side: number; merge: number; span: number },
) {
  const times = pictures.map(({ frames }) => Math.ceil(frames.length / span));
  const counts = pictures.map(({ rows, columns }, i) => times[i] * rows * columns);
  const length = 3 * span * side * side;
  const data = new Float32Array(counts.reduce((sum, count) => sum + count, 0) * length);
  let at = 0;
  pictures.forEach(({ frames, rows, columns }, i) => {
    for (let time = 0; time < times[i]; time++) {
      for (const patch of blockOrder(rows, columns, merge)) {
        for (let frame = 0; frame < span; frame++) {
          const from = frames[Math.min(frames.length - 1, time * span + frame)];
          for (let pixel = 0; pixel < side * side; pixel++) {
            for (let channel = 0; channel < 3; channel++) {
              const target = at + (channel * span + frame) * side * side + pixel;
              data[target] = from[(patch * side * side + pixel) * 3 + channel];
            }
          }
        }
        at += length;
      }
    }
  });
  return {
    patches: { data, shape: [data.length / length, length] },
    grids: rows(pictures.map(({ rows, columns }, i) => [times[i], rows, columns])),
  };
}

/** Numbers of patches, block by block. */
function blockOrder(rows: number, columns: number, merge: number): number[] {
  const across = columns / merge;
  return Array.from({ length: rows * columns }, (_, i) => {
    const block = Math.floor(i / (merge * merge));
    const row = Math.floor(block / across) * merge + (Math.floor(i / merge) % merge);
    return row * columns + (block % across) * merge + (i % merge);
  });
}

/** Splits packed patches of still pictures, of which each patch repeats its picture `span` times. */
export function stillPatches(images: HostImages, side: number, span: number): FramePatches[] {
  const { images: prepared, patches } = packed(images);
  const length = side * side * 3;
  let next = 0;
  return prepared.map(({ views: [{ height, width }] }) => {
    const [rows, columns] = [height / side, width / side];
    const frame = new Float32Array(rows * columns * length);
    for (let patch = 0; patch < rows * columns; patch++, next++) {
      const from = next * span * length;
      frame.set(patches.data.subarray(from, from + length), patch * length);
    }
    return { frames: [frame], rows, columns };
  });
}

/** int32[rows, columns] of rows of one length. */
export function rows(values: readonly (readonly number[])[]): HostArray<Int32Array> {
  return { data: Int32Array.from(values.flat()), shape: [values.length, values[0]?.length ?? 0] };
}

/** @throws ConfigError for patches */
export function dense(images: HostImages): HostDense {
  return images.kind === 'dense' ? images : refuse('views of one size', 'packs patches');
}

/** @throws ConfigError for views */
export function packed(images: HostImages): HostPacked {
  return images.kind === 'packed' ? images : refuse('packed patches', 'makes views of one size');
}

function refuse(expected: string, actual: string): never {
  throw new ConfigError({
    component: 'processor_config.json',
    expected: `an image processor for ${expected}`,
    actual: `one that ${actual}`,
  });
}
