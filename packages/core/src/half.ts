/**
 * The 16-bit floating point formats, which JavaScript has no typed array for. Float32 is rounded to the nearest, on a tie to
 * the even one.
 */

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

/**
 * Many of IEEE 754 binary16. Exponent and fraction move to their float32 places; multiplying by 2^112, the difference of
 * the exponent biases, puts the value right and turns subnormal numbers into normal ones.
 */
export function float16ToFloat32(codes: Uint16Array): Float32Array {
  const values = new Float32Array(codes.length);
  const bits = new Uint32Array(values.buffer);
  for (let index = 0; index < codes.length; index++) {
    const code = codes[index]!;
    bits[index] = ((code & 0x8000) << 16) | ((code & 0x7fff) << 13);
    if ((code & 0x7c00) === 0x7c00) bits[index]! |= 0x7f80_0000;
    else values[index]! *= 2 ** 112;
  }
  return values;
}

/** Many of bfloat16, the upper half of a float32. */
export function bfloat16ToFloat32(codes: Uint16Array): Float32Array {
  const bits = new Uint32Array(codes.length);
  for (let index = 0; index < codes.length; index++) bits[index] = codes[index]! << 16;
  return new Float32Array(bits.buffer);
}
