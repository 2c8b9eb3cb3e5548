import type { JsonObject } from '@mmllm/checkpoints';
import { clipVision, siglipVision } from './towers';

const rope = (theta: number) => ({ rope_type: 'default', rope_theta: theta });

const axialRope = { rope_type: 'axial', rope_theta: 10_000 };

const fuyu = () => {
  const text = {
    vocab_size: 262_144,
    hidden_size: 4096,
    intermediate_size: 16_384,
    num_hidden_layers: 36,
    num_attention_heads: 64,
    hidden_act: 'relu2',
    max_position_embeddings: 16_384,
    layer_norm_eps: 1e-5,
    tie_word_embeddings: false,
    qk_layernorm: true,
    partial_rotary_factor: 0.5,
  };
  return {
    model_type: 'fuyu',
    ...text,
    rope_parameters: { ...rope(25_000), partial_rotary_factor: 0.5 },
    text_config: {
      model_type: 'persimmon',
      ...text,
      rope_parameters: { ...rope(10_000), partial_rotary_factor: 0.5 },
    },
    image_size: 300,
    patch_size: 30,
    image_token_id: 71_011,
  };
};

interface VicunaSize {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
}

/** LLaVA-1.5: CLIP at 336 pixels and a Vicuna. */
const llava = (size: VicunaSize) => ({
  model_type: 'llava',
  vision_config: clipVision(336),
  text_config: {
    model_type: 'llama',
    vocab_size: 32_064,
    ...size,
    num_key_value_heads: size.num_attention_heads,
    head_dim: 128,
    hidden_act: 'silu',
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-6,
    rope_parameters: rope(10_000),
  },
  image_token_index: 32_000,
  projector_hidden_act: 'gelu',
  vision_feature_select_strategy: 'default',
  vision_feature_layer: -2,
  tie_word_embeddings: false,
});

const paligemma = (imageSize: number) => ({
  model_type: 'paligemma',
  vision_config: { ...siglipVision(imageSize), vision_use_head: false },
  text_config: {
    model_type: 'gemma',
    vocab_size: 257_216,
    hidden_size: 2048,
    intermediate_size: 16_384,
    num_hidden_layers: 18,
    num_attention_heads: 8,
    num_key_value_heads: 1,
    head_dim: 256,
    hidden_act: 'gelu_pytorch_tanh',
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-6,
    rope_parameters: rope(10_000),
  },
  image_token_index: 256_000,
  projection_dim: 2048,
  tie_word_embeddings: true,
});

interface Llama32Size {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly cross_attention_layers: readonly number[];
}

/** Every fifth layer of `count` attends to pictures. */
const everyFifth = (count: number): number[] => Array.from({ length: count / 5 }, (_, i) => 3 + 5 * i);

const llama32Vision = (imageSize: number, size: Llama32Size) => ({
  model_type: 'mllama',
  vision_config: {
    model_type: 'mllama_vision_model',
    hidden_size: 1280,
    intermediate_size: 5120,
    num_hidden_layers: 32,
    num_global_layers: 8,
    attention_heads: 16,
    vision_output_dim: 7680,
    image_size: imageSize,
    patch_size: 14,
    hidden_act: 'gelu',
    norm_eps: 1e-5,
    max_num_tiles: 4,
    intermediate_layers_indices: [3, 7, 15, 23, 30],
    supported_aspect_ratios: [
      [1, 1],
      [1, 2],
      [1, 3],
      [1, 4],
      [2, 1],
      [2, 2],
      [3, 1],
      [4, 1],
    ],
  },
  text_config: {
    model_type: 'mllama_text_model',
    vocab_size: 128_256,
    ...size,
    cross_attention_layers: [...size.cross_attention_layers],
    num_key_value_heads: 8,
    hidden_act: 'silu',
    max_position_embeddings: 131_072,
    rms_norm_eps: 1e-5,
    rope_parameters: {
      rope_type: 'llama3',
      rope_theta: 500_000,
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    },
    tie_word_embeddings: false,
  },
  image_token_index: 128_256,
});

const llama32Small: Llama32Size = {
  hidden_size: 4096,
  intermediate_size: 14_336,
  num_hidden_layers: 40,
  num_attention_heads: 32,
  cross_attention_layers: everyFifth(40),
};

const llama32Large: Llama32Size = {
  hidden_size: 8192,
  intermediate_size: 28_672,
  num_hidden_layers: 100,
  num_attention_heads: 64,
  cross_attention_layers: everyFifth(100),
};

interface Qwen2Size {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
}

const qwen2Vl = (size: Qwen2Size, tied = false) => ({
  model_type: 'qwen2_vl',
  vision_config: {
    model_type: 'qwen2_vl_vision',
    depth: 32,
    embed_dim: 1280,
    hidden_size: size.hidden_size,
    num_heads: 16,
    mlp_ratio: 4,
    hidden_act: 'quick_gelu',
    patch_size: 14,
    spatial_merge_size: 2,
    temporal_patch_size: 2,
    rope_parameters: axialRope,
  },
  text_config: {
    model_type: 'qwen2_vl_text',
    ...size,
    hidden_act: 'silu',
    max_position_embeddings: 32_768,
    rms_norm_eps: 1e-5,
    rope_parameters: rope(1_000_000),
    tie_word_embeddings: tied,
  },
  image_token_id: 151_655,
  tie_word_embeddings: tied,
});

const pixtral = {
  model_type: 'llava',
  vision_config: {
    model_type: 'pixtral',
    hidden_size: 1024,
    intermediate_size: 4096,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    head_dim: 64,
    image_size: 1024,
    patch_size: 16,
    hidden_act: 'silu',
    rope_parameters: axialRope,
  },
  text_config: {
    model_type: 'mistral',
    vocab_size: 131_072,
    hidden_size: 5120,
    intermediate_size: 14_336,
    num_hidden_layers: 40,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 128,
    hidden_act: 'silu',
    max_position_embeddings: 131_072,
    rms_norm_eps: 1e-5,
    rope_parameters: rope(10_000),
  },
  image_token_index: 32_000,
  projector_hidden_act: 'gelu',
  vision_feature_select_strategy: 'full',
  vision_feature_layer: -1,
  tie_word_embeddings: false,
};

const aria = {
  model_type: 'aria',
  vision_config: {
    ...siglipVision(980),
    model_type: 'idefics3_vision',
  },
  text_config: {
    model_type: 'aria_text',
    vocab_size: 100_352,
    hidden_size: 2560,
    intermediate_size: 1664,
    num_hidden_layers: 28,
    num_attention_heads: 20,
    num_key_value_heads: 20,
    head_dim: 128,
    moe_num_experts: 64,
    moe_topk: 6,
    moe_num_shared_experts: 2,
    hidden_act: 'silu',
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-6,
    rope_parameters: rope(10_000),
  },
  projector_patch_to_query_dict: { '1225': 128, '4900': 256 },
  max_value_projector_patch_to_query_dict: 256,
  vision_feature_layer: -1,
  image_token_index: 9,
  tie_word_embeddings: false,
};

const emu3 = {
  model_type: 'emu3',
  vq_config: {
    model_type: 'emu3_vqgan',
    codebook_size: 32_768,
    embed_dim: 4,
    latent_channels: 4,
    double_latent: false,
    out_channels: 3,
    temporal_downsample_factor: 4,
    base_channels: 256,
    channel_multiplier: [1, 2, 2, 4],
    num_res_blocks: 2,
    attn_resolutions: [3],
    hidden_size: 1024,
    num_attention_heads: 1,
  },
  text_config: {
    model_type: 'emu3_text_model',
    vocab_size: 184_622,
    hidden_size: 4096,
    intermediate_size: 14_336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    hidden_act: 'silu',
    max_position_embeddings: 9216,
    rms_norm_eps: 1e-5,
    rope_parameters: rope(1_000_000),
  },
  image_token_id: 0,
  tie_word_embeddings: false,
};

const janus = {
  model_type: 'janus',
  vision_config: {
    model_type: 'janus_vision_model',
    hidden_size: 1024,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    mlp_ratio: 4,
    image_size: 384,
    patch_size: 16,
    hidden_act: 'gelu',
    layer_norm_eps: 1e-6,
    use_qk_norm: false,
    depth: 2,
    projection_dim: 2048,
  },
  text_config: {
    model_type: 'llama',
    vocab_size: 102_400,
    hidden_size: 2048,
    intermediate_size: 5632,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    num_key_value_heads: 16,
    head_dim: 128,
    hidden_act: 'silu',
    max_position_embeddings: 16_384,
    rms_norm_eps: 1e-6,
    rope_parameters: rope(10_000),
    tie_word_embeddings: false,
  },
  vq_config: {
    model_type: 'janus_vqgan',
    embed_dim: 8,
    num_embeddings: 16_384,
    double_latent: false,
    latent_channels: 256,
    base_channels: 128,
    channel_multiplier: [1, 1, 2, 2, 4],
    num_res_blocks: 2,
    num_patches: 24,
    out_channels: 3,
    projection_dim: 2048,
    num_hidden_layers: 2,
    hidden_act: 'gelu',
    image_token_embed_dim: 2048,
  },
  image_token_id: 100_581,
  tie_word_embeddings: true,
};

export const publishedSystems = {
  'fuyu-8b': fuyu(),
  'llava-1.5-7b': llava({
    hidden_size: 4096,
    intermediate_size: 11_008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
  }),
  'llava-1.5-13b': llava({
    hidden_size: 5120,
    intermediate_size: 13_824,
    num_hidden_layers: 40,
    num_attention_heads: 40,
  }),
  'paligemma-3b-224': paligemma(224),
  'paligemma-3b-448': paligemma(448),
  'paligemma-3b-896': paligemma(896),
  'llama-3.2-vision-11b-448': llama32Vision(448, llama32Small),
  'llama-3.2-vision-11b-560': llama32Vision(560, llama32Small),
  'llama-3.2-vision-90b-560': llama32Vision(560, llama32Large),
  'qwen2-vl-2b': qwen2Vl(
    {
      vocab_size: 151_936,
      hidden_size: 1536,
      intermediate_size: 8960,
      num_hidden_layers: 28,
      num_attention_heads: 12,
      num_key_value_heads: 2,
    },
    true,
  ),
  'qwen2-vl-7b': qwen2Vl({
    vocab_size: 152_064,
    hidden_size: 3584,
    intermediate_size: 18_944,
    num_hidden_layers: 28,
    num_attention_heads: 28,
    num_key_value_heads: 4,
  }),
  'qwen2-vl-72b': qwen2Vl({
    vocab_size: 152_064,
    hidden_size: 8192,
    intermediate_size: 29_568,
    num_hidden_layers: 80,
    num_attention_heads: 64,
    num_key_value_heads: 8,
  }),
  'pixtral-12b': pixtral,
  aria,
  'emu3-8b': emu3,
  'janus-1.3b': janus,
} satisfies Readonly<Record<string, JsonObject>>;
