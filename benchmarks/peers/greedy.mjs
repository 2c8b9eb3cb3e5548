const range = (start, length) => Array.from({ length }, (_, i) => start + i);

function indexOfLargest(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/** Decodes by hand, with the names that transformers.js expects of a decoder's inputs and outputs. */
export async function greedy(ort, session, { config, ids, count }) {
  const integers = (values) =>
    new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
  const keep = new ort.Tensor('int64', [1n], []);
  const cacheShape = [1, config.num_key_value_heads, 0, config.head_dim];
  const cacheNames = session.inputNames.filter((name) => name.startsWith('past_key_values'));
  let cache = Object.fromEntries(
    cacheNames.map((name) => [name, new ort.Tensor('float32', new Float32Array(0), cacheShape)]),
  );
  const tokens = [];
  let logits;
  let first = 0;
  let next = Array.from(ids);
  for (let seen = 0; tokens.length < count; next = [tokens.at(-1)]) {
    const length = seen + next.length;
    const feeds = {
      ...cache,
      input_ids: integers(next),
      attention_mask: integers(new Array(length).fill(1)),
      num_logits_to_keep: keep,
    };
    if (session.inputNames.includes('position_ids')) feeds.position_ids = integers(range(seen, next.length));
    const outputs = await session.run(feeds);
    cache = Object.fromEntries(
      cacheNames.map((name) => [name, outputs[name.replace('past_key_values', 'present')]]),
    );
    tokens.push(indexOfLargest(outputs.logits.data));
    logits ??= outputs.logits.data;
    if (tokens.length === 1) first = performance.now();
    seen = length;
  }
  return { tokens, msPerToken: (performance.now() - first) / (count - 1), values: () => logits };
}
