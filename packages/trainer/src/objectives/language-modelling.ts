import {
  ConfigError,
  type DecoderInputs,
  type DecoderOutput,
  disposeImages,
  type ImageFeatures,
  type LayerInjection,
  type ModelInputs,
  type MultimodalModel,
  picturesOf,
  type Sample,
} from '@mmllm/core';
import { crossEntropy, selectRows } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { type FrozenPrefix, frozenFeatures } from '../features/frozen-features';
import type { Objective, StageContext, TrainingBatch } from '../objective';
import { packed } from '../packed';

/**
 * Next-token prediction of the answers: cross-entropy, averaged over all answer tokens of the batch, and what a mixture
 * of experts adds to it. Frozen vision parts
 * run outside the gradient, and each picture once a stage as far as the features can be kept.
 */
export function languageModelling(model: MultimodalModel): Objective<Sample> {
  return {
    name: 'language-modelling',
    async prepare(samples, context) {
      const { features, packing, gradientCheckpointing, signal } = context;
      const prefix = frozenPrefix(model, context);
      const known =
        prefix && ((picture: Parameters<typeof features.get>[0]) => features.get(picture)?.prepared);
      const inputs = await model.processor.process(samples, { padding: 'right', known, signal });
      try {
        const { images, ...padded } = inputs;
        const { inputs: text, pictures } = packing
          ? packed(inputs, packing)
          : { inputs: padded, pictures: undefined };
        const answers = answerPositions(text);
        const settings = { gradientCheckpointing, pictures };
        if (!prefix) return new AnswerBatch(model, { ...text, images }, answers, settings);
        const given = frozenFeatures(model, prefix, samples.flatMap(picturesOf), images, features);
        return new AnswerBatch(model, text, answers, { ...settings, given, prefix });
      } catch (error) {
        if (inputs.images) disposeImages(inputs.images);
        throw error;
      }
    },
  };
}

/**
 * The loss of ready inputs: cross-entropy of their labels, averaged over those that count, and what a mixture of experts
 * adds to it, float32[]. The caller owns it.
 * @param features projected features, where they are known already; they stay the caller's.
 * @throws ConfigError for inputs without a label that counts.
 */
export const answerLoss = (
  model: MultimodalModel,
  inputs: ModelInputs,
  features?: ImageFeatures,
): tf.Scalar =>
  new AnswerBatch(model, inputs, answerPositions(inputs), { given: features, prefix: 'projector' }).loss();

/** How many vision parts, from the front, nothing changes in this stage. */
function frozenPrefix(
  { encoder, projector }: MultimodalModel,
  { isFrozen }: StageContext,
): FrozenPrefix | undefined {
  if (!encoder || !projector || !isFrozen(encoder)) return undefined;
  return isFrozen(projector) ? 'projector' : 'encoder';
}

interface AnswerPositions {
  /** Rows of the flattened batch [B · T] that predict a token of an answer. */
  readonly rows: Int32Array;
  readonly targets: Int32Array;
}

function answerPositions({ labels, ids }: ModelInputs): AnswerPositions {
  const rows = Int32Array.from(ids.data.keys()).filter((i) => labels !== undefined && labels[i] >= 0);
  if (rows.length === 0) {
    const actual = 'no answer in the whole batch';
    throw new ConfigError({ component: 'language-modelling', expected: 'samples with an answer', actual });
  }
  return { rows, targets: rows.map((row) => labels![row]) };
}

/** Adds what comes into a fusion's layer, from the decoder, and what it makes of it. */
function traced(injection: LayerInjection, trace: [string, tf.Tensor][]): LayerInjection {
  // The decoder frees its states as it goes.
  const add = (component: string, state: tf.Tensor) => trace.push([component, tf.keep(tf.clone(state))]);
  const { layer, place } = injection;
  return {
    layer,
    place,
    apply(hidden, offset) {
      add('decoder', hidden);
      const output = injection.apply(hidden, offset);
      add('fusion', output);
      return output;
    },
  };
}

interface BatchSettings {
  readonly gradientCheckpointing?: boolean;
  /** The order of the pictures in the text, where packing has changed it. */
  readonly pictures?: readonly number[];
  /** What the frozen parts made of the pictures; the batch owns it. */
  readonly given?: ImageFeatures;
  readonly prefix?: FrozenPrefix;
}

class AnswerBatch implements TrainingBatch {
  readonly tokens: number;
  /** Answer tokens. */
  readonly weight: number;

  /** @param inputs with pictures, unless features are given. */
  constructor(
    private readonly model: MultimodalModel,
    private readonly inputs: ModelInputs,
    private readonly answers: AnswerPositions,
    private readonly settings: BatchSettings,
  ) {
    const { ids, start, end } = inputs;
    const [batch, length] = ids.shape;
    this.weight = answers.rows.length;
    this.tokens = 0;
    for (let b = 0; b < batch; b++) this.tokens += (end?.[b] ?? length) - (start?.[b] ?? 0);
  }

  loss(report?: (name: string, term: tf.Scalar) => void): tf.Scalar {
    return tf.tidy(() => {
      const { model } = this;
      const fused = this.fuse(this.projected());
      const { gradientCheckpointing } = this.settings;
      const output = model.decoder.forward(fused, { gradientCheckpointing, auxiliaryLosses: true });
      fused.dispose?.();
      for (const { name, loss } of output.auxiliaryLosses ?? []) report?.(name, loss);
      return this.lossOf(output);
    });
  }

  trace(): [string, tf.Tensor][] {
    const { model, inputs } = this;
    const { given, prefix } = this.settings;
    const trace: [string, tf.Tensor][] = [];
    let projected = this.projected();
    // Frozen ones run as one, and what lies between them is not kept.
    const frozen = prefix === 'projector' ? 'encoder or projector' : 'encoder';
    if (given) trace.push([frozen, given.features]);
    if (inputs.images) {
      const encoded = model.encoder!.encode(inputs.images);
      projected = model.projector!.project(encoded);
      trace.push(['encoder', encoded.features]);
    }
    if (projected && projected !== given) trace.push(['projector', projected.features]);
    const fused = this.fuse(projected);
    trace.push(['fusion', fused.embeddings]);
    const injections = fused.injections?.map((injection) => traced(injection, trace));
    const output = model.decoder.forward({ ...fused, injections }, { auxiliaryLosses: true });
    fused.dispose?.();
    return [...trace, ['decoder', output.hidden], ['the loss', this.lossOf(output)]];
  }

  dispose(): void {
    this.settings.given?.features.dispose();
    if (this.inputs.images) disposeImages(this.inputs.images);
  }

  private projected(): ImageFeatures | undefined {
    const { given, prefix } = this.settings;
    if (!given || prefix === 'projector') return given;
    return this.model.projector!.project(given);
  }

  /** Packed text has its pictures in another order than the rows of their features. */
  private fuse(projected?: ImageFeatures): DecoderInputs {
    const { images, ...text } = this.inputs;
    const { pictures } = this.settings;
    if (!pictures) return this.model.fuse(this.inputs, projected);
    const features = projected ?? (images && this.model.encodeImages(images));
    return this.model.fuse(
      text,
      features && { ...features, images: pictures.map((i) => features.images[i]) },
    );
  }

  /** Only the few positions that count go through the large product with the vocabulary. */
  private lossOf({ hidden, auxiliaryLosses = [] }: DecoderOutput): tf.Scalar {
    const all = tf.reshape(hidden, [-1, hidden.shape[2]]) as tf.Tensor2D;
    const answering = selectRows(all, this.answers.rows);
    const main = crossEntropy(this.model.decoder.logits(answering) as tf.Tensor2D, this.answers.targets);
    return auxiliaryLosses.reduce(
      (sum, { loss, coefficient }) => tf.add<tf.Scalar>(sum, tf.mul(loss, coefficient)),
      main,
    );
  }
}
