import type { AttentionRule } from '@mmllm/core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Gpu } from './gpu';

/** Who sees whom, as shaders evaluate it: numbers and at most two small tensors, and a bias where the rule has one. */
export interface RuleCode {
  /** Stands for the code. */
  readonly name: string;
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly ints: Readonly<Record<string, number>>;
  /**
   * WGSL: `sees(batch, head, query, key)` and `biasOf(…)` of the same; `keysOf(batch, firstQuery, lastQuery)` and
   * `queriesOf(batch, firstKey, lastKey)`, a range outside of which none of those sees any, or is seen.
   */
  readonly code: () => string;
}

export interface RuleSizes {
  readonly batches: number;
  readonly queries: number;
  readonly keys: number;
}

/** The op layer's number for a key that is not seen. */
const MASKED = '-1e9';

export function ruleCode(gpu: Gpu, rule: AttentionRule, sizes: RuleSizes): RuleCode {
  const { causal, window = Number.POSITIVE_INFINITY, queryBlocks, bias, biasShape } = rule;
  const spans = spansOf(rule, sizes);
  const has = {
    causal,
    // A wider one hides nothing.
    window: window < sizes.queries + sizes.keys,
    spans: spans !== undefined,
    blocks: queryBlocks !== undefined,
    bias: bias !== undefined,
  };
  return {
    name: Object.entries(has)
      .flatMap(([part, is]) => (is ? [part] : []))
      .join(' '),
    inputs: { ...(spans && { spans: gpu.upload(spans) }), ...(bias && { bias: gpu.upload(bias) }) },
    ints: {
      ...(has.window && { window: Math.ceil(window) }),
      ...(biasShape && { biasBatches: biasShape[0], biasHeads: biasShape[1] }),
    },
    code: () => code(has),
  };
}

/**
 * The first visible key, the end of the visible keys and the end of the prefix of each sample, then the blocks of
 * queries and of keys, if there are any.
 */
function spansOf(rule: AttentionRule, { batches, keys }: RuleSizes): Int32Array | undefined {
  const { start, end, prefix, queryBlocks, keyBlocks } = rule;
  if (!start && !end && !prefix && !queryBlocks) return undefined;
  const ofSamples = Array.from({ length: batches }, (_, b) => [
    Math.max(start?.[b] ?? 0, 0),
    Math.min(end?.[b] ?? keys, keys),
    prefix?.[b] ?? 0,
  ]);
  return Int32Array.from([...ofSamples.flat(), ...(queryBlocks ?? []), ...(keyBlocks ?? [])]);
}

type Parts = Readonly<Record<'causal' | 'window' | 'spans' | 'blocks' | 'bias', boolean>>;

const code = ({ causal, window, spans, blocks, bias }: Parts): string => `
  fn firstVisible(batch : i32) -> i32 { return ${spans ? 'spans[3 * batch]' : '0'}; }

  fn endOfVisible(batch : i32) -> i32 { return ${spans ? 'spans[3 * batch + 1]' : 'uniforms.keys'}; }

  fn endOfPrefix(batch : i32) -> i32 { return ${spans ? 'spans[3 * batch + 2]' : '0'}; }

  fn sees(batch : i32, head : i32, query : i32, key : i32) -> bool {
    let position = uniforms.keys - uniforms.queries + query;
    let isNear = ${causal ? 'key <= position' : 'true'} && ${window ? 'key > position - uniforms.window' : 'true'};
    let isVisible = key >= firstVisible(batch) && key < endOfVisible(batch);
    return isVisible && (isNear || key < endOfPrefix(batch))
      ${blocks ? '&& blockOfQuery(batch, query) == blockOfKey(batch, key)' : ''}
      ${bias ? `&& biasOf(batch, head, query, key) > ${MASKED}` : ''};
  }
  ${
    blocks
      ? `
  fn blockOfQuery(batch : i32, query : i32) -> i32 {
    return spans[3 * uniforms.batches + batch * uniforms.queries + query];
  }

  fn blockOfKey(batch : i32, key : i32) -> i32 {
    return spans[3 * uniforms.batches + uniforms.batches * uniforms.queries + batch * uniforms.keys + key];
  }`
      : ''
  }

  fn biasOf(batch : i32, head : i32, query : i32, key : i32) -> f32 {
    ${
      bias
        ? `
    let plane = (batch % uniforms.biasBatches) * uniforms.biasHeads + head % uniforms.biasHeads;
    return max(bias[(plane * uniforms.queries + query) * uniforms.keys + key], ${MASKED});`
        : 'return 0.0;'
    }
  }

  fn keysOf(batch : i32, firstQuery : i32, lastQuery : i32) -> vec2<i32> {
    let shift = uniforms.keys - uniforms.queries;
    var first = ${window ? 'firstQuery + shift - uniforms.window + 1' : '0'};
    var end = ${causal ? 'lastQuery + shift + 1' : 'uniforms.keys'};
    if (endOfPrefix(batch) > 0) {
      first = 0;
      end = max(end, endOfPrefix(batch));
    }
    return vec2<i32>(max(first, firstVisible(batch)), min(end, endOfVisible(batch)));
  }

  fn queriesOf(batch : i32, firstKey : i32, lastKey : i32) -> vec2<i32> {
    if (lastKey < firstVisible(batch) || firstKey >= endOfVisible(batch)) { return vec2<i32>(0, 0); }
    if (firstKey < endOfPrefix(batch)) { return vec2<i32>(0, uniforms.queries); }
    let shift = uniforms.keys - uniforms.queries;
    let first = ${causal ? 'firstKey - shift' : '0'};
    let end = ${window ? 'lastKey + uniforms.window - shift' : 'uniforms.queries'};
    return vec2<i32>(max(first, 0), min(end, uniforms.queries));
  }`;
