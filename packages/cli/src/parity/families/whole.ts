import { type JsonObject, loadWeights } from '@mmllm/checkpoints';
import type {
  AttentionRule,
  DecoderInputs,
  ImageBatch,
  ImagePreprocessing,
  ImageTokens,
  ModelInputs,
  MultimodalModel,
  SequencePiece,
  TokenIds,
} from '@mmllm/core';
import { type ComposeSystemOptions, composeSystem, systemOf } from '@mmllm/models';
import * as tf from '@tensorflow/tfjs-core';
import type { ParityCase } from '../case';
import type { Comparison } from '../comparison';
import type { ParityFamily } from '.';
import { compareGradients } from './gradients';
import { compareGreedy } from './greedy';

/** How the cases of a whole model are read. */
export interface WholeModelCases {
  /** What `config.json` leaves out. */
  config?(json: JsonObject): JsonObject;
  /** The pictures of a case, and how they were prepared where the model must know. The caller owns them. */
  pictures(
    golden: ParityCase,
    json: JsonObject,
  ): Promise<ImageBatch & { preprocessing?: ImagePreprocessing }>;
  /** `out.features`: those that stand in the text, or all that the projector gives. Default `text`. */
  readonly features?: 'text' | 'all';
  /** What the case has beside ids and pictures. */
  more?(golden: ParityCase): Promise<Partial<ModelInputs>>;
  /** Compares what else the case has of a model. */
  also?(whole: Whole): Promise<void>;
  /** Whether gradients are held against the largest value of their tensor: see `Comparison.giveOfLargest`. */
  readonly ofLargest?: boolean;
  /** The prompt of `out.greedy`, where it is not the whole. */
  prompt?(inputs: ModelInputs): ModelInputs;
  /** Compares `out.greedy` in a way of its own. */
  greedy?(whole: Whole): Promise<void>;
  /** The token that stands for pictures, where the configuration does not say. */
  imageToken?(golden: ParityCase): number;
}

/** A model of a case, and what it is given. */
export interface Whole {
  readonly golden: ParityCase;
  readonly comparison: Comparison;
  readonly model: MultimodalModel;
  readonly inputs: ModelInputs;
  readonly images: ImageBatch;
  readonly fused: DecoderInputs;
}

/** A whole model, composed from single packages: features, logits, greedy tokens, loss and gradients. */
export const wholeModel =
  ({
    pictures,
    config = (json) => json,
    features = 'text',
    more,
    also,
    ofLargest,
    prompt = (inputs) => inputs,
    greedy,
    imageToken,
  }: WholeModelCases): ParityFamily =>
  async (golden, comparison) => {
    const json = config(await golden.config());
    const { preprocessing, ...images } = await pictures(golden, json);
    comparison.own(images.kind === 'dense' ? images.pixels : images.patches);
    const { model, names, ...composed } = await loadSystem(golden, json, comparison, { preprocessing });
    const imageTokenId = imageToken?.(golden) ?? composed.imageTokenId;
    const { model: holder } = await composeSystem(systemOf(json), json, { preprocessing });
    const ids = withoutNegatives(await golden.ids('in.input_ids'));
    const tokens = model.imageTokens(images.images).map((image) => imageTokensOf(model, image));
    const padding = golden.has('in.attention_mask') ? paddingOf(await golden.ints('in.attention_mask')) : {};
    const inputs: ModelInputs = {
      ...{ ids, imageTokenId, images, ...padding },
      imagesPerSample: imagesPerSample(ids, imageTokenId, tokens),
      ...(await more?.(golden)),
    };
    const fused = fuse(model, inputs, comparison);
    if (comparison.wants('out.features')) {
      const given =
        features === 'all'
          ? model.encodeImages(images).features
          : imageRows(fused.embeddings, ids, imageTokenId);
      await comparison.give('out.features', reshaped(given, golden.shape('out.features')));
    }
    const whole: Whole = { golden, comparison, model, inputs, images, fused };
    await also?.(whole);
    if (comparison.wants('out.positions')) {
      const { axes, shape, data } = fused.positions;
      await comparison.give('out.positions', { shape: [axes, ...shape], data });
    }
    await comparison.giveAll({ 'out.logits': withoutPadding(model.forward(inputs), inputs) });
    if (greedy) await greedy(whole);
    else {
      const asked = prompt(inputs);
      const start = asked === inputs ? fused : fuse(model, asked, comparison);
      await compareGreedy(model.decoder, asked.ids, start, golden, comparison);
    }
    const logits = () =>
      tf.tidy(() => {
        const joined = model.fuse(inputs);
        const { hidden } = model.decoder.forward({ ...joined, rule: referenceRule(joined.rule, ids) });
        joined.dispose?.();
        return tf.reshape<tf.Rank.R2>(model.decoder.logits(hidden), [-1, model.decoder.vocabSize]);
      });
    const nameOf = (key: string) => (golden.has(`grad.${key}`) ? `grad.${key}` : `grad.${inMemory(key)}`);
    // Real tokens see no padding, so that what they say of their routing is the same with either rule.
    const routing = golden.has('out.balance_loss') ? () => routingTerms(model, inputs) : undefined;
    if (routing) await compareRouting(model, fused, ids, comparison);
    const check = { model, holder, names, logits, nameOf, ofLargest, more: routing };
    await compareGradients(check, golden, comparison);
  };

/** `out.text_only_logits`: the same ids without pictures, image tokens an ordinary word. */
export async function compareTextAlone({ comparison, model, inputs }: Whole): Promise<void> {
  const { ids, start, end } = inputs;
  // An image token may lie behind the vocabulary.
  const data = ids.data.map((id) => Math.min(id, model.decoder.vocabSize - 1));
  const imagesPerSample = new Array<number>(ids.shape[0]).fill(0);
  const text = model.forward({ ids: { ...ids, data }, start, end, imageTokenId: -1, imagesPerSample });
  await comparison.give('out.text_only_logits', withoutPadding(text, inputs));
}

/** How many image tokens a picture is in a text. */
export const imageTokensOf = ({ fusion }: MultimodalModel, image: ImageTokens): number =>
  fusion!.placeholders(image).reduce((sum, piece) => sum + tokensOfPiece(piece), 0);

/** How many image tokens a piece of the text is. */
function tokensOfPiece(piece: SequencePiece): number {
  if (piece.kind === 'features') return piece.count;
  return piece.kind === 'marker' ? 1 : 0;
}

/** What a mixture of experts adds to the loss. */
function routingTerms(model: MultimodalModel, inputs: ModelInputs): tf.Scalar {
  return tf.tidy(() => {
    const { auxiliaryLosses = [] } = model.decoder.forward(model.fuse(inputs), { auxiliaryLosses: true });
    const terms = auxiliaryLosses.map(({ loss, coefficient }) => tf.mul(loss, coefficient));
    return tf.addN(terms) as tf.Scalar;
  });
}

/** The losses of the routers, and what they say of each token, padding by the rule of the reference. */
async function compareRouting(
  model: MultimodalModel,
  fused: DecoderInputs,
  ids: TokenIds,
  comparison: Comparison,
) {
  const { hidden, auxiliaryLosses = [] } = model.decoder.forward(fused, { auxiliaryLosses: true });
  hidden.dispose();
  for (const { name, loss } of auxiliaryLosses) await comparison.give(`out.${name}_loss`, loss);
  const logits = tf.tidy(() => {
    const rule = referenceRule(fused.rule, ids);
    const { routerLogits = [] } = model.decoder.forward({ ...fused, rule }, { routerLogits: true });
    return tf.stack([...routerLogits]);
  });
  await comparison.give('out.router_logits', logits);
}

/** The model of a case with its weights; the comparison frees it. */
export async function loadSystem(
  golden: ParityCase,
  json: JsonObject,
  comparison: Comparison,
  options?: ComposeSystemOptions,
) {
  const composed = await composeSystem(systemOf(json), json, options);
  await loadWeights(comparison.own(composed.model), await golden.weights(), composed.names);
  return composed;
}

function fuse(model: MultimodalModel, inputs: ModelInputs, comparison: Comparison): DecoderInputs {
  const fused = model.fuse(inputs);
  comparison.own(fused.embeddings);
  if (fused.dispose) comparison.own({ dispose: fused.dispose });
  return fused;
}

/** transformers' name in memory of a tensor of the file. */
export function inMemory(key: string): string {
  if (key.startsWith('language_model.lm_head.')) return key.slice('language_model.'.length);
  return `model.${key.replace(/^language_model\.model\./, 'language_model.')}`;
}

/** Padding of −1 is not in the vocabulary. */
export const withoutNegatives = ({ data, shape }: TokenIds): TokenIds => ({
  data: data.map((id) => Math.max(0, id)),
  shape,
});

/** First and end of the real tokens of each row; nothing where all are real. */
function paddingOf({ data, shape: [batch, length] }: Awaited<ReturnType<ParityCase['ints']>>) {
  if (!data.includes(0)) return {};
  const rows = Array.from({ length: batch }, (_, b) => data.subarray(b * length, (b + 1) * length));
  return {
    start: Int32Array.from(rows, (row) => row.indexOf(1)),
    end: Int32Array.from(rows, (row) => row.lastIndexOf(1) + 1),
  };
}

/** Pictures of each row: as many as its image tokens are enough for. */
export function imagesPerSample(
  { data, shape: [batch, length] }: TokenIds,
  imageTokenId: number,
  tokens: readonly number[],
): number[] {
  let next = 0;
  return Array.from({ length: batch }, (_, b) => {
    const first = next;
    let left = data.subarray(b * length, (b + 1) * length).filter((id) => id === imageTokenId).length;
    while (next < tokens.length && left >= tokens[next]! && left > 0) left -= tokens[next++]!;
    return next - first;
  });
}

/** The rows of the text where image tokens stand. Disposes of nothing. */
function imageRows(embeddings: tf.Tensor3D, { data }: TokenIds, imageTokenId: number): tf.Tensor2D {
  const places = [...data.keys()].filter((place) => data[place] === imageTokenId);
  return tf.tidy(() => {
    const rows = tf.reshape<tf.Rank.R2>(embeddings, [-1, embeddings.shape[2]]);
    return tf.gather(rows, tf.tensor1d(places, 'int32'));
  });
}

/** In another shape; the tensor is disposed. */
export function reshaped(x: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const result = tf.reshape(x, [...shape]);
  x.dispose();
  return result;
}

/** float32[B, T, D] with zeros at padding, as golden logits have. The tensor is disposed. */
export function withoutPadding(logits: tf.Tensor3D, { start, end }: ModelInputs): tf.Tensor3D {
  if (!start || !end) return logits;
  const [batch, length] = logits.shape;
  const counts = Float32Array.from({ length: batch * length }, (_, i) => {
    const [b, t] = [Math.floor(i / length), i % length];
    return t >= start[b]! && t < end[b]! ? 1 : 0;
  });
  const masked = tf.tidy(() => tf.mul<tf.Tensor3D>(logits, tf.tensor3d(counts, [batch, length, 1])));
  logits.dispose();
  return masked;
}

/**
 * The rule of the reference where rows are padded on the left: a padded token sees none there, and takes the mean of all.
 * The first real token is predicted from one, which counts in the loss.
 */
function referenceRule(rule: AttentionRule, { shape: [batch, length] }: TokenIds): AttentionRule {
  const { start } = rule;
  if (!start?.some((first) => first > 0)) return rule;
  // So low that scores vanish beside it, and not low enough for the op to take it for hidden.
  const lowest = -5e8;
  const bias = Float32Array.from({ length: batch * length * length }, (_, i) => {
    const [b, query, key] = [Math.floor(i / length ** 2), Math.floor(i / length) % length, i % length];
    return key <= query && key >= start[b]! ? 0 : lowest;
  });
  return { causal: false, bias, biasShape: [batch, 1, length, length] };
}
