import { type NameMap, type NameRule, prefixMap } from '@mmllm/checkpoints';
import {
  type Decoder,
  type ImageGenerator,
  type ImageGeneratorFactory,
  layersSchema,
  Module,
  parseConfig,
  sizeSchema,
  type TokenIds,
  type VisionTokenizer,
} from '@mmllm/core';
import { ACTIVATIONS, type Activation, activationNamed, Embedding, Linear, Mlp } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { linearNames, type VqCheckpoint } from '../shared/checkpoint';
import { parseHuggingFace } from '../shared/config';

export interface SeparateCodesConfig {
  /** Layers from a code's vector to the decoder's width. Default 2. */
  numLayers?: number;
  /** Between the layers, and inside the head. Default `gelu`. */
  activation?: Activation;
  /** Width inside the head. Default: the decoder's. */
  headSize?: number;
}

const schema = z.strictObject({
  numLayers: layersSchema.default(2),
  activation: z.enum(ACTIVATIONS).default('gelu'),
  headSize: sizeSchema.optional(),
});

/** See `separateCodes`. */
class SeparateCodes extends Module implements ImageGenerator {
  readonly specVersion = 'image-generator/v1';
  readonly name = 'separate-codes';
  readonly tokenizer: VisionTokenizer;
  readonly embedding: Embedding;
  readonly aligner: readonly Linear[];
  readonly head: Mlp;
  private readonly activation: Activation;

  constructor(
    tokenizer: VisionTokenizer,
    { hiddenSize }: Decoder,
    { numLayers, activation, headSize = hiddenSize }: z.output<typeof schema>,
  ) {
    super();
    const { codebookSize, codeSize } = tokenizer;
    this.activation = activation;
    this.tokenizer = tokenizer;
    this.embedding = new Embedding(codebookSize, codeSize);
    this.aligner = Array.from(
      { length: numLayers },
      (_, i) => new Linear(i === 0 ? codeSize : hiddenSize, hiddenSize),
    );
    this.head = new Mlp({
      hiddenSize,
      intermediateSize: headSize,
      outputSize: codebookSize,
      activation,
    });
  }

  embed(codes: TokenIds): tf.Tensor3D {
    const { activation } = this;
    return tf.tidy(() =>
      this.aligner.reduce((x, layer, i) => {
        const isLast = i === this.aligner.length - 1;
        return layer.forward(x, isLast ? {} : { activation });
      }, this.embedding.forward(codes)),
    );
  }

  logits(hidden: tf.Tensor): tf.Tensor {
    return tf.tidy(() => this.head.forward(hidden));
  }
}

/** `JanusVQVAEConfig` of transformers, which also describes what stands between the codes and the decoder. */
const huggingFace = z.object({
  projection_dim: sizeSchema.default(2048),
  num_hidden_layers: layersSchema.default(2),
  hidden_act: z
    .string()
    .max(100)
    .default('gelu')
    .transform((name) => activationNamed(name) ?? name)
    .pipe(z.enum(ACTIVATIONS)),
});

/** All but the tokenizer, as transformers writes Janus. */
const checkpoint: VqCheckpoint<SeparateCodesConfig> = {
  config(json) {
    const hf = parseHuggingFace('separate-codes', huggingFace, json);
    return { numLayers: hf.num_hidden_layers, activation: hf.hidden_act, headSize: hf.projection_dim };
  },
  names({ numLayers = 2 }, prefixes = ['model', '']): NameMap {
    const rules: NameRule[] = [
      { ours: 'embedding.weight', theirs: 'generation_embeddings.weight' },
      ...Array.from({ length: numLayers }, (_, i) =>
        linearNames(`aligner.${i}`, `generation_aligner.${i === 0 ? 'fc1' : `hidden_layers.${i - 1}`}`),
      ).flat(),
      ...linearNames('head.fc1', 'generation_head.proj_out'),
      ...linearNames('head.fc2', 'generation_head.vision_head'),
    ];
    return prefixMap({ rules }, { theirs: prefixes });
  },
};

function build(tokenizer: VisionTokenizer, config: SeparateCodesConfig = {}): ImageGeneratorFactory {
  const options = parseConfig('separate-codes', schema, config);
  return {
    specVersion: 'image-generator/v1',
    name: 'separate-codes',
    build: ({ decoder }) => new SeparateCodes(tokenizer, decoder, options),
  };
}

/**
 * Codes with a table of vectors, layers to the decoder's width and a head of their own, as in Janus (Wu et al. 2024,
 * arXiv:2410.13848). The table is another one than the tokenizer's.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const separateCodes = Object.assign(build, { checkpoint });
