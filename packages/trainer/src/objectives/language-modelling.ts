import {
  ConfigError,
  disposeImages,
  type ImageFeatures,
  type LayerInjection,
  type ModelInputs,
  type MultimodalModel,
  type Sample,
} from '@mmllm/core';
import { crossEntropy, selectRows } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { type FrozenPrefix, frozenFeatures, picturesOf } from '../features/frozen-features';
import type { Objective, StageContext, TrainingBatch } from '../objective';

/**
 * Next-token prediction of the answers: cross-entropy, averaged over all answer tokens of the batch. Frozen vision parts
 * run outside the gradient, and each picture once a stage as far as the features can be kept.
 */
export function languageModelling(model: MultimodalModel): Objective<Sample> {
  return {
    name: 'language-modelling',
    async prepare(samples, context) {
      const { features, signal } = context;
      const prefix = frozenPrefix(model, context);
      const known =
        prefix && ((picture: Parameters<typeof features.get>[0]) => features.get(picture)?.prepared);
      const inputs = await model.processor.process(samples, { padding: 'right', known, signal });
      try {
        const answers = answerPositions(inputs);
        if (!prefix) return new AnswerBatch(model, inputs, answers);
        const { images, ...text } = inputs;
        const given = frozenFeatures(model, prefix, picturesOf(samples), images, features);
        return new AnswerBatch(model, text, answers, given, prefix);
      } catch (error) {
        if (inputs.images) disposeImages(inputs.images);
        throw error;
      }
    },
  };
}

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

class AnswerBatch implements TrainingBatch {
  readonly tokens: number;
  /** Answer tokens. */
  readonly weight: number;

  /**
   * @param inputs with pictures, unless features are given.
   * @param given what the frozen parts made of the pictures; the batch owns it.
   */
  constructor(
    private readonly model: MultimodalModel,
    private readonly inputs: ModelInputs,
    private readonly answers: AnswerPositions,
    private readonly given?: ImageFeatures,
    private readonly prefix?: FrozenPrefix,
  ) {
    const { ids, start, end } = inputs;
    const [batch, length] = ids.shape;
    this.weight = answers.rows.length;
    this.tokens = 0;
    for (let b = 0; b < batch; b++) this.tokens += (end?.[b] ?? length) - (start?.[b] ?? 0);
  }

  loss(): tf.Scalar {
    return tf.tidy(() => this.lossOf(this.model.hidden(this.inputs, this.projected())));
  }

  trace(): [string, tf.Tensor][] {
    const { model, inputs } = this;
    const trace: [string, tf.Tensor][] = [];
    let projected = this.projected();
    // Frozen ones run as one, and what lies between them is not kept.
    const frozen = this.prefix === 'projector' ? 'encoder or projector' : 'encoder';
    if (this.given) trace.push([frozen, this.given.features]);
    if (inputs.images) {
      const encoded = model.encoder!.encode(inputs.images);
      projected = model.projector!.project(encoded);
      trace.push(['encoder', encoded.features]);
    }
    if (projected && projected !== this.given) trace.push(['projector', projected.features]);
    const fused = model.fuse(inputs, projected);
    trace.push(['fusion', fused.embeddings]);
    const injections = fused.injections?.map((injection) => traced(injection, trace));
    const { hidden } = model.decoder.forward({ ...fused, injections });
    fused.dispose?.();
    return [...trace, ['decoder', hidden], ['the loss', this.lossOf(hidden)]];
  }

  dispose(): void {
    this.given?.features.dispose();
    if (this.inputs.images) disposeImages(this.inputs.images);
  }

  private projected(): ImageFeatures | undefined {
    if (!this.given || this.prefix === 'projector') return this.given;
    return this.model.projector!.project(this.given);
  }

  /** Only the few positions that count go through the large product with the vocabulary. */
  private lossOf(hidden: tf.Tensor3D): tf.Scalar {
    const all = tf.reshape(hidden, [-1, hidden.shape[2]]) as tf.Tensor2D;
    const answering = selectRows(all, this.answers.rows);
    return crossEntropy(this.model.decoder.logits(answering) as tf.Tensor2D, this.answers.targets);
  }
}
