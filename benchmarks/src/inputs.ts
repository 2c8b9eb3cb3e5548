/** Numbers from −1 to 1 that every engine can make for itself: a linear congruential generator. */
export function numbers(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    // Numerical Recipes' constants.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** The transposed of float32[rows, columns]. */
export function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  return data.map((_, i) => data[(i % rows) * columns + Math.floor(i / rows)]);
}

/** float32[heads, length, size], one head after the other, to float32[length, heads · size], side by side. */
export function sideBySide(data: Float32Array, heads: number, length: number): Float32Array {
  const size = data.length / (heads * length);
  return data.map((_, i) => {
    const [t, h, c] = [Math.floor(i / (heads * size)), Math.floor(i / size) % heads, i % size];
    return data[(h * length + t) * size + c];
  });
}

/** The other way round. */
export function oneAfterTheOther(data: Float32Array, heads: number, length: number): Float32Array {
  const size = data.length / (heads * length);
  return data.map((_, i) => {
    const [h, t, c] = [Math.floor(i / (length * size)), Math.floor(i / size) % length, i % size];
    return data[(t * heads + h) * size + c];
  });
}
