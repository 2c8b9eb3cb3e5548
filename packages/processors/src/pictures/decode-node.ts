import type { Picture } from '@mmllm/core';
import type { Sharp, SharpOptions } from 'sharp';
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
export async function decodeWithSharp(bytes: Uint8Array): Promise<Picture> {
  const sharp = await loadSharp();
  const { data, info } = await sharp(bytes, options)
    .removeAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return {
    data: new Uint8Array(data.buffer, data.byteOffset, data.length),
    width: info.width,
    height: info.height,
  };
}
