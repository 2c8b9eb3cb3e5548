/** The 16-bit floating point formats, which JavaScript has no typed array for, as float32. */

/**
 * IEEE 754 binary16. Exponent and fraction move to their float32 places; multiplying by 2^112, the difference of
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

/** bfloat16 is the upper half of a float32. */
export function bfloat16ToFloat32(codes: Uint16Array): Float32Array {
  const bits = new Uint32Array(codes.length);
  for (let index = 0; index < codes.length; index++) bits[index] = codes[index]! << 16;
  return new Float32Array(bits.buffer);
}
