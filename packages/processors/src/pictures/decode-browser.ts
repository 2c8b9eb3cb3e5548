import type { Picture } from '@mmllm/core';
import { type Alpha, withoutAlpha } from './alpha';

/** True in browsers and their workers. */
export const inBrowser = (): boolean =>
  typeof createImageBitmap === 'function' && typeof OffscreenCanvas === 'function';

/** Decodes with the browser's own decoder, without applying colour profiles. */
export async function decodeInBrowser(bytes: Uint8Array, alpha: Alpha): Promise<Picture> {
  const bitmap = await createImageBitmap(new Blob([bytes.slice()]), {
    imageOrientation: 'from-image',
    premultiplyAlpha: 'none',
    colorSpaceConversion: 'none',
  });
  try {
    const { width, height } = bitmap;
    const rgba = readCanvas(bitmap);
    return { data: withoutAlpha(isOpaque(rgba) ? rgba : readTexture(bitmap), alpha), width, height };
  } finally {
    bitmap.close();
  }
}

function readCanvas(bitmap: ImageBitmap): Uint8ClampedArray {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('the browser gives no 2D canvas');
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, width, height).data;
}

function isOpaque(rgba: Uint8ClampedArray): boolean {
  for (let i = 3; i < rgba.length; i += 4) if (rgba[i] !== 255) return false;
  return true;
}

/** A 2D canvas multiplies colours by alpha and so loses those of translucent pixels; a texture keeps them. */
function readTexture(bitmap: ImageBitmap): Uint8Array {
  const { width, height } = bitmap;
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  if (!gl) throw new Error('a translucent picture, and the browser gives no WebGL to read it');
  try {
    const limit: number = gl.getParameter(gl.MAX_TEXTURE_SIZE);
    if (Math.max(width, height) > limit)
      throw new Error(`a translucent picture of more than ${limit} pixels a side`);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
    const texture = gl.getParameter(gl.TEXTURE_BINDING_2D);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    const rgba = new Uint8Array(width * height * 4);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, rgba);
    return rgba;
  } finally {
    gl.getExtension('WEBGL_lose_context')?.loseContext();
  }
}
