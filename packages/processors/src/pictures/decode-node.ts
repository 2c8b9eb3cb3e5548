import type { Picture } from '@mmllm/core';
import type { Sharp, SharpOptions } from 'sharp';
import { type Alpha, withoutAlpha } from './alpha';
import { cmykToRgb } from './cmyk';
import type { PictureHeader } from './header';
import { maxPixels } from './limits';

const options: SharpOptions = {
  autoOrient: true,
  failOn: 'error',
  limitInputPixels: maxPixels,
  // Profiles are not applied: the reference's pictures keep the numbers that the file holds.
  ignoreIcc: true,
};

type MakeSharp = (bytes: Uint8Array, options: SharpOptions) => Sharp;
let loaded: Promise<MakeSharp> | undefined;

/** By a name that bundlers cannot follow, because a browser has no use for sharp and no bundler can pack it. */
function loadSharp(): Promise<MakeSharp> {
  const name = 'sharp';
  loaded ??= import(/* @vite-ignore */ /* webpackIgnore: true */ name).then((module) => module.default);
  return loaded;
}

/** Decodes through sharp (libvips); gives the bytes of Pillow's `ImageOps.exif_transpose(image).convert('RGB')`. */
export async function decodeWithSharp(
  bytes: Uint8Array,
  { channels }: PictureHeader,
  alpha: Alpha,
): Promise<Picture> {
  const opened = (await loadSharp())(bytes, options);
  if (channels === 4) {
    const { data, ...size } = await raw(opened.pipelineColourspace('cmyk').toColourspace('cmyk'));
    return { data: cmykToRgb(data), ...size };
  }
  if (alpha === 'drop') return raw(opened.removeAlpha().toColourspace('srgb'));
  const { data, ...size } = await raw(opened.ensureAlpha().toColourspace('srgb'));
  return { data: withoutAlpha(data, alpha), ...size };
}

/** The bytes as sharp has them, in as many channels as there are. */
async function raw(picture: Sharp): Promise<Picture> {
  const { data, info } = await picture.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  return {
    data: new Uint8Array(data.buffer, data.byteOffset, data.length),
    width: info.width,
    height: info.height,
  };
}
