import * as tf from '@tensorflow/tfjs-core';
import type {
  Decoder,
  DecoderInputs,
  Fusion,
  ImageBatch,
  ImageEncoder,
  ImageFeatures,
  ImageGenerator,
  ImageTokens,
  ModelInputs,
  PreparedImage,
  Processor,
  Projector,
  TokenIds,
} from './contracts';
import { describeModel } from './describe';
import { ConfigError, ShapeError } from './errors';
import type { Answer, Choice, GenerationInput, GenerationStream, ModelGenerateOptions } from './generation';
import { chooseAnswer } from './generation/choose';
import { generateAnswers, streamAnswer } from './generation/stream';
import { Module } from './module';
import { textOrder } from './positions';

/** The built parts of a model. A model without the three vision parts is text only. */
export interface ModelParts {
  readonly encoder?: ImageEncoder;
  readonly projector?: Projector;
  readonly fusion?: Fusion;
  readonly decoder: Decoder;
  readonly generator?: ImageGenerator;
  readonly processor?: Processor;
  /** What `generate` does where a call says nothing else, such as `generationFromHuggingFace` gives. */
  readonly generation?: ModelGenerateOptions;
}

/**
 * A multimodal LLM wired from parts. Its parameter paths start with `encoder`, `projector`, `fusion`, `decoder` and
 * `generator`.
 * Made by `composeModel`.
 */
export class MultimodalModel extends Module {
  readonly encoder?: ImageEncoder;
  readonly projector?: Projector;
  readonly fusion?: Fusion;
  readonly decoder: Decoder;
  /** How it makes pictures; absent in a model that only reads them. */
  readonly generator?: ImageGenerator;
  readonly #processor?: Processor;
  readonly #generation: ModelGenerateOptions;

  constructor({ encoder, projector, fusion, decoder, generator, processor, generation = {} }: ModelParts) {
    super();
    this.encoder = encoder;
    this.projector = projector;
    this.fusion = fusion;
    this.decoder = decoder;
    this.generator = generator;
    this.#processor = processor;
    this.#generation = generation;
    for (const [path, parameter] of this.namedParameters()) parameter.path = path;
  }

  /** @throws ConfigError if the model was composed without one. */
  get processor(): Processor {
    if (!this.#processor) {
      throw new ConfigError({
        component: 'model.processor',
        expected: 'a processor for text and pictures',
        actual: 'none',
        hint: 'Pass one to composeModel, or call with prepared inputs.',
      });
    }
    return this.#processor;
  }

  get hasProcessor(): boolean {
    return this.#processor !== undefined;
  }

  /** What `generate` does where a call says nothing else. */
  get generation(): ModelGenerateOptions {
    return this.#generation;
  }

  /** The tokens that each prepared picture becomes, after the projector; runs no kernel. */
  imageTokens(images: readonly PreparedImage[]): ImageTokens[] {
    const { encoder, projector } = this.vision();
    return projector.layout(encoder.layout(images));
  }

  /** Features of the decoder's width: encoder, then projector. The caller owns them. */
  encodeImages(batch: ImageBatch): ImageFeatures {
    const { encoder, projector } = this.vision();
    const encoded = encoder.encode(batch);
    const projected = projector.project(encoded);
    encoded.features.dispose();
    return projected;
  }

  /**
   * Joins text and pictures into what the decoder consumes. The caller owns the embeddings, and calls `dispose` at
   * the end.
   * @param features projected features, where they are known already; they stay the caller's.
   * @throws PlaceholderCountError before any kernel runs.
   */
  fuse(inputs: ModelInputs, features?: ImageFeatures): DecoderInputs {
    const { images, ...rest } = inputs;
    if (!this.fusion) return textOnly(inputs, (ids) => this.decoder.embed(ids));
    let own: ImageFeatures | undefined;
    const encode = () => {
      if (features) return features;
      own ??= this.encodeImages(required(images));
      return own;
    };
    const tokens = features?.images ?? (images ? this.imageTokens(images.images) : []);
    const embed = (ids: TokenIds) => this.decoder.embed(ids);
    try {
      const fused = this.fusion.fuse({ ...rest, images: tokens, embed, encode });
      const dispose = () => {
        fused.dispose?.();
        own?.features.dispose();
      };
      return { ...fused, dispose };
    } catch (error) {
      own?.features.dispose();
      throw error;
    }
  }

  /** float32[B, T, hiddenSize] after the decoder's last norm. The caller owns it. */
  hidden(inputs: ModelInputs, features?: ImageFeatures): tf.Tensor3D {
    return tf.tidy(() => {
      const fused = this.fuse(inputs, features);
      const { hidden } = this.decoder.forward(fused);
      fused.dispose?.();
      return hidden;
    });
  }

  /** Logits float32[B, T, vocabSize]. The caller owns them. */
  forward(inputs: ModelInputs, features?: ImageFeatures): tf.Tensor3D {
    return tf.tidy(() => this.decoder.logits(this.hidden(inputs, features)) as tf.Tensor3D);
  }

  /**
   * Streams the answer to one conversation or prompt, or to what stands behind ids or embeddings; these are one sequence,
   * and stay the caller's.
   */
  generate(input: GenerationInput, options: ModelGenerateOptions = {}): GenerationStream {
    return streamAnswer(this, input, options);
  }

  /** Answers many conversations or prompts at once. */
  generateAll(inputs: readonly GenerationInput[], options: ModelGenerateOptions = {}): Promise<Answer[]> {
    return generateAnswers(this, inputs, options);
  }

  /**
   * Which of the given answers is how likely, the likeliest first. The prompt runs once for all.
   * @throws ConfigError for no answer or an empty one, or without a processor.
   */
  choose(
    input: GenerationInput,
    answers: readonly string[],
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Choice[]> {
    return chooseAnswer(this, input, answers, signal);
  }

  /** The parts with exact counts, and the tokens a picture takes. Works shape-only. */
  describe(): string {
    return describeModel(this);
  }

  private vision(): { encoder: ImageEncoder; projector: Projector } {
    if (!this.encoder || !this.projector) {
      throw new ShapeError({
        component: 'model',
        expected: 'text only, since it was composed without an encoder',
        actual: 'pictures',
      });
    }
    return { encoder: this.encoder, projector: this.projector };
  }
}

function required(images: ImageBatch | undefined): ImageBatch {
  if (images) return images;
  throw new ShapeError({ component: 'model', expected: 'pictures for the image tokens', actual: 'none' });
}

function textOnly(inputs: ModelInputs, embed: Decoder['embed']): DecoderInputs {
  const { ids, images } = inputs;
  if (images) {
    throw new ShapeError({
      component: 'model',
      expected: 'text only, since it was composed without an encoder',
      actual: `${images.images.length} pictures`,
    });
  }
  return { embeddings: embed(ids), ...textOrder(inputs) };
}
