import type { NameMap, NameRule } from '@mmllm/checkpoints';
import { dequantize, type GgufFile } from '@mmllm/checkpoints/gguf';
import { ConfigError, layersSchema, parseConfig, sizeSchema as size } from '@mmllm/core';
import { type RopeScaling, ropeFrequencies } from '@mmllm/nn';
import { z } from 'zod';
import type { LlamaConfig } from './config';

const positive = z.number().positive();

/**
 * The entries of a llama in GGUF, without `llama.` in front. Others might change the result, and are refused.
 * Source of the names: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
const schema = z.strictObject({
  block_count: layersSchema,
  context_length: size,
  embedding_length: size,
  feed_forward_length: size,
  'attention.head_count': size,
  'attention.head_count_kv': size.optional(),
  'attention.key_length': size.optional(),
  'attention.value_length': size.optional(),
  'attention.layer_norm_rms_epsilon': positive,
  'attention.causal': z.literal(true).optional(),
  'rope.freq_base': positive.default(10_000),
  'rope.dimension_count': size.optional(),
  'rope.scaling.type': z.enum(['none', 'linear']).default('linear'),
  'rope.scaling.factor': positive.optional(),
  /** The factor's older name. */
  'rope.scale_linear': positive.optional(),
  expert_count: z.literal(0).optional(),
  expert_used_count: z.literal(0).optional(),
  // These change nothing.
  'rope.scaling.original_context_length': z.unknown().optional(),
  'rope.scaling.finetuned': z.unknown().optional(),
  'attention.layer_norm_epsilon': z.unknown().optional(),
  tensor_data_layout: z.unknown().optional(),
  vocab_size: z.unknown().optional(),
});

type Entries = z.output<typeof schema>;

/**
 * Reads the configuration from a file's metadata and from which tensors it has.
 * @throws ConfigError for another architecture, or a value outside the known set.
 */
export async function llamaConfigFromGguf(file: GgufFile): Promise<LlamaConfig> {
  if (file.architecture !== 'llama') {
    const actual = `${file.architecture}`;
    throw new ConfigError({ component: file.name, expected: "the architecture 'llama'", actual });
  }
  // Whether it is what the schema takes is what is checked here.
  const entries = parseConfig('llama GGUF', schema, file.hyperparameters as z.input<typeof schema>);
  checkLayers(file, entries.block_count);
  const headSize = readHeadSize(entries);
  const ropeTheta = entries['rope.freq_base'];
  return {
    vocabSize: file.span('token_embd.weight').shape[0],
    hiddenSize: entries.embedding_length,
    numLayers: entries.block_count,
    numHeads: entries['attention.head_count'],
    numKeyValueHeads: entries['attention.head_count_kv'],
    headSize,
    intermediateSize: entries.feed_forward_length,
    ropeTheta,
    ropeScaling: (await llama3Scaling(file, headSize, ropeTheta)) ?? linearScaling(entries),
    rmsNormEps: entries['attention.layer_norm_rms_epsilon'],
    activation: 'silu',
    maxLength: entries.context_length,
    tieWordEmbeddings: !file.tensors.has('output.weight'),
    attentionBias: file.tensors.has('blk.0.attn_q.bias'),
    mlpBias: file.tensors.has('blk.0.ffn_down.bias'),
  };
}

/** Loading would notice as well, but only when as many layers as the file claims were built. */
function checkLayers(file: GgufFile, count: number): void {
  const last = `blk.${count - 1}.attn_norm.weight`;
  if (file.tensors.has(last)) return;
  throw new ConfigError({
    component: 'llama GGUF.block_count',
    expected: 'a number of layers that the file has',
    actual: `${count}, without a tensor '${last}'`,
  });
}

/** Keys, values and the rotation must agree on the size of a head. */
function readHeadSize(entries: Entries): number {
  const { 'attention.key_length': keys, 'attention.value_length': values } = entries;
  const rotated = entries['rope.dimension_count'];
  const headSize = keys ?? rotated ?? entries.embedding_length / entries['attention.head_count'];
  if ([values ?? headSize, rotated ?? headSize].every((other) => other === headSize)) return headSize;
  throw new ConfigError({
    component: 'llama GGUF',
    expected: `heads whose values and rotation have the ${headSize} dimensions of the keys`,
    actual: `value_length ${values}, rope.dimension_count ${rotated}`,
  });
}

function linearScaling(entries: Entries): RopeScaling | undefined {
  const factor = entries['rope.scaling.factor'] ?? entries['rope.scale_linear'] ?? 1;
  return entries['rope.scaling.type'] === 'linear' && factor !== 1 ? { type: 'linear', factor } : undefined;
}

const FREQUENCIES = 'rope_freqs.weight';

/**
 * A file of Llama 3.1 and later has, in place of the numbers of its rule, what every frequency is divided by. All
 * published ones differ in the factor alone, which is the largest of these.
 */
async function llama3Scaling(file: GgufFile, dim: number, theta: number): Promise<RopeScaling | undefined> {
  if (!file.tensors.has(FREQUENCIES)) return undefined;
  const refuse = (actual: string) =>
    new ConfigError({
      component: `${file.name}: ${FREQUENCIES}`,
      expected: `${dim / 2} divisors as Llama 3.1 has them`,
      actual,
    });
  const { shape } = file.span(FREQUENCIES);
  if (shape.length !== 1 || shape[0] !== dim / 2) throw refuse(`a tensor of shape [${shape.join(', ')}]`);
  const divisors = dequantize(await file.read(FREQUENCIES));
  const scaling = {
    type: 'llama3',
    factor: Math.max(...divisors),
    lowFreqFactor: 1,
    highFreqFactor: 4,
    originalMaxPositions: 8192,
  } as const;
  const [plain, scaled] = [ropeFrequencies({ dim, theta }), ropeFrequencies({ dim, theta, scaling })];
  const odd = divisors.findIndex((divisor, i) => !(Math.abs((divisor * scaled[i]) / plain[i] - 1) < 1e-4));
  if (odd >= 0) throw refuse(`${divisors[odd]} at index ${odd}`);
  return scaling;
}

/** The names of llama.cpp's converter. */
export function llamaGgufNames({
  numHeads,
  numKeyValueHeads = numHeads,
}: Pick<LlamaConfig, 'numHeads' | 'numKeyValueHeads'>): NameMap {
  const linear = (ours: string, theirs: string, interleavedHeads?: number): NameRule[] => [
    {
      ours: `layers.{i}.${ours}.weight`,
      theirs: `blk.{i}.${theirs}.weight`,
      layout: 'linear',
      interleavedHeads,
    },
    { ours: `layers.{i}.${ours}.bias`, theirs: `blk.{i}.${theirs}.bias`, interleavedHeads },
  ];
  return {
    rules: [
      { ours: 'embedTokens.weight', theirs: 'token_embd.weight' },
      { ours: 'layers.{i}.attentionNorm.weight', theirs: 'blk.{i}.attn_norm.weight' },
      ...linear('selfAttention.qProj', 'attn_q', numHeads),
      ...linear('selfAttention.kProj', 'attn_k', numKeyValueHeads),
      ...linear('selfAttention.vProj', 'attn_v'),
      ...linear('selfAttention.outProj', 'attn_output'),
      { ours: 'layers.{i}.mlpNorm.weight', theirs: 'blk.{i}.ffn_norm.weight' },
      ...linear('mlp.gateProj', 'ffn_gate'),
      ...linear('mlp.upProj', 'ffn_up'),
      ...linear('mlp.downProj', 'ffn_down'),
      { ours: 'norm.weight', theirs: 'output_norm.weight' },
      { ours: 'head.weight', theirs: 'output.weight', layout: 'linear' },
    ],
    // The first one is part of the configuration; old files hold the wavelengths in every layer.
    ignore: [FREQUENCIES, 'blk.{i}.attn_rot_embd'],
  };
}
