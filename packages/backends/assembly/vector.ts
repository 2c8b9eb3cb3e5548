/** a · b + c, in one rounding where the engine has relaxed SIMD and the processor fuses. */
export function madd(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}

/** The sum of the four lanes. */
export function lanesSum(x: v128): f32 {
  const pairs = f32x4.add(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** The greatest of the four lanes; NaN does not count. */
export function lanesMax(x: v128): f32 {
  const pairs = f32x4.pmax(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.pmax(pairs, v128.shuffle<f32>(pairs, pairs, 1, 0, 3, 2)), 0);
}

/** Up to four floats, with zeros behind them: the end of a row that is no multiple of four. */
export function loadSome(from: usize, count: i32): v128 {
  if (count >= 4) return v128.load(from);
  let x = v128.load32_zero(from);
  if (count > 1) x = v128.load_lane<f32>(from, x, 1, 4);
  return count > 2 ? v128.load_lane<f32>(from, x, 2, 8) : x;
}

/** Writes the first `count` lanes, at most four. */
export function storeSome(to: usize, x: v128, count: i32): void {
  if (count >= 4) {
    v128.store(to, x);
    return;
  }
  v128.store_lane<f32>(to, x, 0);
  if (count > 1) v128.store_lane<f32>(to, x, 1, 4);
  if (count > 2) v128.store_lane<f32>(to, x, 2, 8);
}

/** `to += from` for `n` floats. */
export function addTo(to: usize, from: usize, n: i32): void {
  for (; n >= 4; n -= 4) {
    v128.store(to, f32x4.add(v128.load(to), v128.load(from)));
    to += 16;
    from += 16;
  }
  if (n > 0) storeSome(to, f32x4.add(loadSome(to, n), loadSome(from, n)), n);
}
