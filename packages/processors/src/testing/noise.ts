import { type Picture, random } from '@mmllm/core';

/** A picture of random bytes, the same for the same size. */
export function noise(width: number, height: number): Picture {
  const source = random('noise', width, height);
  return { data: Uint8Array.from({ length: width * height * 3 }, () => source.integer(256)), width, height };
}
