import {
  ContextLengthError,
  type Decoder,
  type DecoderInputs,
  type LayerInjection,
  ShapeError,
  sequentialPositions,
  type TextInputs,
} from '@mmllm/core';
import type { TensorCache } from './kv-cache';

/**
 * Ids as what the layers take, with positions that go on behind `offset` tokens of a cache. The caller owns the
 * embeddings.
 * @throws ConfigError for an id outside the vocabulary.
 */
function embedText(
  decoder: Decoder,
  { ids, rule = { causal: true }, positions, injections }: TextInputs,
  offset = 0,
): DecoderInputs {
  return {
    embeddings: decoder.embed(ids),
    positions: positions ?? sequentialPositions(ids.shape, rule.start, offset),
    rule,
    injections,
    tokens: ids,
  };
}

/** What the layers take, and what frees the embeddings where they were made here. */
export function embedded(
  decoder: Decoder,
  inputs: DecoderInputs | TextInputs,
  offset?: number,
): { readonly inputs: DecoderInputs; dispose(): void } {
  if ('embeddings' in inputs) return { inputs, dispose: () => {} };
  const own = embedText(decoder, inputs, offset);
  return { inputs: own, dispose: () => own.embeddings.dispose() };
}

/**
 * Refuses inputs that do not fit the decoder or each other, before any kernel runs.
 * @throws ShapeError; ContextLengthError if the tokens do not fit behind those of the cache.
 */
export function checkInputs(decoder: Decoder, inputs: DecoderInputs, cache?: TensorCache): void {
  const { embeddings, positions, injections = [] } = inputs;
  const [batch, length, width] = embeddings.shape;
  const component = `decoder '${decoder.name}'`;
  const check = (fits: boolean, expected: string, actual: string) => {
    if (!fits) throw new ShapeError({ component, expected, actual });
  };
  check(
    embeddings.rank === 3 && width === decoder.hiddenSize,
    `embeddings float32[B, T, ${decoder.hiddenSize}]`,
    `[${embeddings.shape.join(', ')}]`,
  );
  const { axes, shape, data } = positions;
  check(
    (axes === 1 || axes === decoder.positionAxes) &&
      shape[0] === batch &&
      shape[1] === length &&
      data.length === axes * batch * length,
    `positions int32[${axesText(decoder)}, ${batch}, ${length}]`,
    `${data.length} values for [${axes}, ${shape.join(', ')}]`,
  );
  for (const { layer } of injections) {
    const known = Number.isInteger(layer) && layer >= 0 && layer < decoder.numLayers;
    check(known, `injections at layers 0 to ${decoder.numLayers - 1}`, `layer ${layer}`);
  }
  checkLength(decoder, length, cache);
  checkRule(inputs, component, cache);
}

const axesText = ({ positionAxes }: Decoder): string => (positionAxes === 1 ? '1' : `1 or ${positionAxes}`);

function checkLength(decoder: Decoder, length: number, cache: TensorCache | undefined): void {
  const before = cache?.length ?? 0;
  const capacity = cache?.capacity ?? decoder.maxLength;
  if (before + length <= capacity) return;
  throw new ContextLengthError({
    component: `decoder '${decoder.name}'`,
    expected: cache ? `at most ${capacity} tokens in the cache` : `at most ${capacity} tokens`,
    actual: cache ? `${length} more than the ${before} it holds` : `${length}`,
  });
}

/** The rule speaks of key positions in the whole sequence: the tokens of the cache, then the new ones. */
function checkRule({ embeddings, rule }: DecoderInputs, component: string, cache?: TensorCache): void {
  const [batch, length] = embeddings.shape;
  for (const name of ['start', 'end', 'prefix'] as const) {
    const values = rule[name];
    if (values && values.length !== batch) {
      throw new ShapeError({
        component,
        expected: `rule.${name} int32[${batch}]`,
        actual: `[${values.length}]`,
      });
    }
  }
  if (!cache || !rule.end) return;
  const total = cache.length + length;
  const padded = rule.end.findIndex((end) => end < total);
  if (padded < 0) return;
  throw new ShapeError({
    component,
    expected: 'no padding on the right with a cache, since the next token stands there',
    actual: `an end at ${rule.end[padded]} of ${total} in sample ${padded}`,
    hint: 'Pad on the left.',
  });
}

export type InjectionTable = (layer: number, place: LayerInjection['place']) => readonly LayerInjection[];

/** The injections of each place, in the order given. */
export function injectionTable(injections: readonly LayerInjection[] = []): InjectionTable {
  return (layer, place) => injections.filter((each) => each.layer === layer && each.place === place);
}
