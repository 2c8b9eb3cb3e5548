/** Edits (insert, delete, replace) that turn `a` into `b`, or `limit + 1` if it takes more. Levenshtein, 1966. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    let best = row;
    for (let column = 1; column <= b.length; column++) {
      const replaced = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      const distance = Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1);
      current.push(distance);
      best = Math.min(best, distance);
    }
    if (best > limit) return limit + 1;
    previous = current;
  }
  return Math.min(previous[b.length]!, limit + 1);
}

/** Bounds the time that an error message may take; models have fewer tensors, hostile files may have more. */
const MAX_CANDIDATES = 5_000;

/** The candidate that differs from `name` the least, if it looks like a misspelling: at most a third is edited. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  // Longer names are not written by hand, and each comparison takes the product of both lengths.
  if (name.length > 200) return undefined;
  let limit = Math.floor(name.length / 3);
  let found: string | undefined;
  let seen = 0;
  for (const candidate of candidates) {
    if (++seen > MAX_CANDIDATES) break;
    const distance = editDistance(name, candidate, limit);
    if (distance > limit) continue;
    found = candidate;
    limit = distance - 1;
    if (limit < 0) break;
  }
  return found;
}
