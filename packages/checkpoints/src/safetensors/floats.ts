/** Floating point formats that JavaScript has no typed array for, as float32. */
export { bfloat16ToFloat32, float16ToFloat32 } from '@mmllm/core';

interface Minifloat {
  /** Bits of the fraction; the exponent has the other `7 - fraction`. */
  fraction: number;
  bias: number;
  /** Infinity or NaN for the codes that stand for them, otherwise undefined. */
  special: (magnitude: number, negative: boolean) => number | undefined;
}

/** The values of all 256 codes. */
function table({ fraction, bias, special }: Minifloat): Float32Array {
  return Float32Array.from({ length: 256 }, (_, code) => {
    const negative = code >= 128;
    const magnitude = code & 0x7f;
    const exponent = magnitude >> fraction;
    const digits = magnitude & ((1 << fraction) - 1);
    const finite =
      exponent === 0
        ? digits * 2 ** (1 - bias - fraction)
        : (digits + 2 ** fraction) * 2 ** (exponent - bias - fraction);
    return special(magnitude, negative) ?? (negative ? -finite : finite);
  });
}

/** Without infinities, and NaN in the place of negative zero. */
const fnuz = (magnitude: number, negative: boolean) => (negative && magnitude === 0 ? Number.NaN : undefined);

/** Without infinities; all ones is NaN. Micikevicius et al., https://arxiv.org/abs/2209.05433 */
export const E4M3 = table({ fraction: 3, bias: 7, special: (m) => (m === 0x7f ? Number.NaN : undefined) });

/** Like IEEE 754. Micikevicius et al., https://arxiv.org/abs/2209.05433 */
export const E5M2 = table({
  fraction: 2,
  bias: 15,
  special: (m, negative) => (m > 0x7c ? Number.NaN : m < 0x7c ? undefined : negative ? -Infinity : Infinity),
});

/** Noune et al., https://arxiv.org/abs/2206.02915 */
export const E4M3FNUZ = table({ fraction: 3, bias: 8, special: fnuz });

/** Noune et al., https://arxiv.org/abs/2206.02915 */
export const E5M2FNUZ = table({ fraction: 2, bias: 16, special: fnuz });

/** A power of two, unsigned; all ones is NaN. OCP Microscaling Formats 1.0, section 5.4.1. */
export const E8M0 = Float32Array.from({ length: 256 }, (_, code) =>
  code === 255 ? Number.NaN : 2 ** (code - 127),
);
