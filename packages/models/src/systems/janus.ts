import { composeMaps, type NameRule, prefixMap } from '@mmllm/checkpoints';
import { ConfigError, layersSchema, sizeSchema } from '@mmllm/core';
import { mlp } from '@mmllm/projectors';
import { janusVq, separateCodes } from '@mmllm/vq-tokenizer';
import { z } from 'zod';
import { readConfig } from '../parts/config';
import { besideHead, decoderOf } from '../parts/decoders';
import { inText } from '../parts/fusion';
import { allBut, only, published } from '../parts/published';
import { towerOf } from '../parts/towers';
import { wired } from '../parts/wired';
import type { System } from '../system';

const paper = 'arXiv:2410.13848';

const width = sizeSchema.default(2048);

const schema = z.looseObject({
  vision_config: z
    .looseObject({
      depth: layersSchema.default(2),
      hidden_act: z.unknown().optional(),
      projection_dim: width,
    })
    .prefault({}),
  vq_config: z.looseObject({ projection_dim: width, image_token_embed_dim: width }).prefault({}),
  tie_word_embeddings: z.boolean().default(true),
});

/** One layer, then the others in a list, of which transformers calls the first otherwise. */
const alignerNames = (numLayers: number): NameRule[] =>
  Array.from({ length: numLayers }, (_, i) => {
    const theirs = `model.aligner.${i === 0 ? 'fc1' : `hidden_layers.${i - 1}`}`;
    return [
      { ours: `layers.${i}.weight`, theirs: `${theirs}.weight`, layout: 'linear' } as const,
      { ours: `layers.${i}.bias`, theirs: `${theirs}.bias` },
    ];
  }).flat();

/** What stands between towers, codes and decoder; that the vectors of codes belong to it is not said. */
const adaptors = ['projector', 'generator.embedding', 'generator.aligner', 'generator.head'] as const;

/**
 * Janus (Wu et al. 2024, arXiv:2410.13848) as transformers writes it: SigLIP and two layers to read pictures; codes with
 * vectors and a head of their own to make them; LLaMA.
 */
export const janus: System = {
  name: 'Janus',
  modelType: 'janus',
  wire(json) {
    const { vision_config: vision, vq_config: vq, tie_word_embeddings } = readConfig(schema, json);
    const decoder = decoderOf({ ...json, tie_word_embeddings }, { usual: 'llama', prefix: '' });
    checkWidth(decoder.part.hiddenSize, {
      'vision_config.projection_dim': vision.projection_dim,
      'vq_config.projection_dim': vq.projection_dim,
      'vq_config.image_token_embed_dim': vq.image_token_embed_dim,
    });
    const { activation } = mlp.checkpoint.config({ projector_hidden_act: vision.hidden_act });
    const tokenizer = wired(janusVq, { vq_config: vq }, 'model.vqmodel');
    const codes = separateCodes.checkpoint.config({ vq_config: vq });
    return {
      encoder: towerOf(json, { usual: 'janus_vision_model', prefixes: ['model.vision_model'] }),
      projector: {
        part: mlp({ numLayers: vision.depth, activation }),
        names: { rules: alignerNames(vision.depth) },
      },
      fusion: inText(),
      decoder: { part: decoder.part, names: besideHead(decoder.names) },
      generator: {
        part: separateCodes(tokenizer.part, codes),
        names: composeMaps(
          prefixMap(tokenizer.names, { ours: 'tokenizer' }),
          separateCodes.checkpoint.names(codes, 'model'),
        ),
      },
    };
  },
  stages: [
    published({
      name: 'adaptors',
      policy: only(...adaptors),
      ...{ learningRate: 1e-3, batchSize: 256, steps: 10_000 },
      from: paper,
    }),
    published({
      name: 'pretrain',
      policy: only(...adaptors, 'decoder'),
      ...{ learningRate: 1e-4, batchSize: 512, steps: 180_000 },
      from: paper,
    }),
    published({
      name: 'sft',
      policy: allBut('generator.tokenizer'),
      ...{ learningRate: 2e-5, batchSize: 256, steps: 24_000 },
      from: paper,
    }),
  ],
};

/** All that leads into the decoder or out of it has its width. @throws ConfigError */
function checkWidth(hiddenSize: number, widths: Readonly<Record<string, number>>): void {
  for (const [key, width] of Object.entries(widths)) {
    if (width === hiddenSize) continue;
    throw new ConfigError({
      component: `config.json ${key}`,
      expected: `${hiddenSize}, the decoder's hidden_size`,
      actual: `${width}`,
    });
  }
}
