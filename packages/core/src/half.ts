/** Rounding of float32 to the 16-bit floating point formats, to the nearest and on a tie to the even one. */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The upper half of the float32. A value beyond the largest bfloat16 becomes infinite. */
export function toBfloat16(value: number): number {
  // Rounding could carry a NaN's fraction into its sign.
  if (Number.isNaN(value)) return 0x7fc0;
  float[0] = value;
  const all = bits[0]!;
  return (all + 0x7fff + ((all >>> 16) & 1)) >>> 16;
}

export function fromBfloat16(code: number): number {
  bits[0] = code << 16;
  return float[0]!;
}

/** From here on a float32 is a normal float16: 2^-14. */
const FIRST_NORMAL = 0x3880_0000;
/** The difference of the exponents' biases, in its place. */
const BIASES = 112 << 23;
const INFINITE = 0x7c00;

/** IEEE 754 binary16. A value beyond the largest one, 65504, becomes infinite. */
export function toFloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  float[0] = value;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const size = bits[0]! & 0x7fff_ffff;
  if (size < FIRST_NORMAL) return sign | nearestEven(Math.abs(value) * 2 ** 24);
  const rounded = (size - BIASES + 0xfff + ((size >>> 13) & 1)) >>> 13;
  return sign | Math.min(rounded, INFINITE);
}

export function fromFloat16(code: number): number {
  const fraction = code & 0x3ff;
  const exponent = (code >>> 10) & 0x1f;
  const size = exponent === 0 ? fraction * 2 ** -24 : (fraction + 1024) * 2 ** (exponent - 25);
  return code & 0x8000 ? -size : size;
}

function nearestEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
