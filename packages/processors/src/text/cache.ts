/** Remembers the results of the texts asked for last, at most `limit` of them. */
export function remember<T>(compute: (text: string) => T, limit: number): (text: string) => T {
  // A map keeps the order of insertion, so its first key is the one unused for longest.
  const known = new Map<string, T>();
  return (text) => {
    let result = known.get(text);
    if (result === undefined) result = compute(text);
    else known.delete(text);
    known.set(text, result);
    if (known.size > limit) known.delete(known.keys().next().value as string);
    return result;
  };
}
