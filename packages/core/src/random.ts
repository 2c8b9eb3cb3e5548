/** A seeded stream of random numbers; equal seeds give equal streams on every backend and machine. */
export interface Random {
  /** Uniform in [0, 1), 32 bits of randomness. */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** Uniform integer in [0, bound). */
  integer(bound: number): number;
}

/** Hashes text into 32 bits (FNV-1a with a final avalanche). */
function hash(text: string, basis: number): number {
  let value = (0x811c9dc5 ^ basis) >>> 0;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/**
 * Random stream named by its keys: `random(seed, 'shuffle', epoch)`. Streams with different keys are
 * independent, so that adding a consumer never shifts another's numbers.
 *
 * Generator: xoshiro128** (Blackman and Vigna, 2018, arXiv:1805.01407).
 */
export function random(...keys: readonly (number | string)[]): Random {
  const text = JSON.stringify(keys);
  let [a, b, c, d] = [0, 1, 2, 3].map((basis) => hash(text, basis * 0x9e3779b9));
  const rotate = (x: number, k: number) => (x << k) | (x >>> (32 - k));
  const next = () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return result;
  };
  const uniform = () => next() / 4294967296;
  let spare: number | undefined;
  return {
    uniform,
    integer: (bound) => Math.floor(uniform() * bound),
    /** Box–Muller; each pair of uniforms gives two normals. */
    normal() {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      const angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
  };
}

/** A permutation of 0 … length − 1 (Fisher–Yates). */
export function permutation(length: number, source: Random): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = source.integer(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
