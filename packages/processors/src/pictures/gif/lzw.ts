const mostBits = 12;

/**
 * The indices that a GIF holds compressed (https://www.w3.org/Graphics/GIF/spec-gif89a.txt, appendix F): uint8[length].
 * What there is beyond them is not read.
 *
 * @param bits of an index.
 * @throws Error for a code that makes no sense, or fewer indices.
 */
export function decompress(data: Uint8Array, bits: number, length: number): Uint8Array {
  if (bits < 1 || bits > 8) throw new Error(`indices of ${bits} bits`);
  const clear = 1 << bits;
  // Each code is a shorter one and an index behind it.
  const before = new Uint16Array(1 << mostBits);
  const last = Uint8Array.from(before, (_, code) => code);
  const backwards = new Uint8Array((1 << mostBits) + 1);
  const result = new Uint8Array(length);
  let [next, size, previous, first] = [clear + 2, bits + 1, -1, 0];
  let [held, count, from, at] = [0, 0, 0, 0];
  while (at < length) {
    while (count < size) {
      if (from === data.length) throw new Error('its pixels are cut short');
      held |= data[from++] << count;
      count += 8;
    }
    const code = held & ((1 << size) - 1);
    held >>>= size;
    count -= size;
    if (code === clear) {
      [next, size, previous] = [clear + 2, bits + 1, -1];
      continue;
    }
    if (code === clear + 1) throw new Error('its pixels are cut short');
    if (code > next || (previous < 0 ? code > clear : code === next && next >= 1 << mostBits)) {
      throw new Error('a code that makes no sense');
    }
    let depth = 0;
    let walk = code;
    if (code === next) {
      backwards[depth++] = first;
      walk = previous;
    }
    for (; walk > clear; walk = before[walk]) backwards[depth++] = last[walk];
    first = walk;
    backwards[depth++] = first;
    while (depth > 0 && at < length) result[at++] = backwards[--depth];
    if (previous >= 0 && next < 1 << mostBits) {
      before[next] = previous;
      last[next++] = first;
      if (next === 1 << size && size < mostBits) size++;
    }
    previous = code;
  }
  return result;
}
