import type { JsonObject } from '@mmllm/checkpoints';

const clipText = {
  model_type: 'clip_text_model',
  vocab_size: 49_408,
  hidden_size: 768,
  intermediate_size: 3072,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  max_position_embeddings: 77,
  hidden_act: 'quick_gelu',
  layer_norm_eps: 1e-5,
};

/** CLIP ViT-L/14. @param imageSize in pixels */
export const clipVision = (imageSize: number) => ({
  model_type: 'clip_vision_model',
  hidden_size: 1024,
  intermediate_size: 4096,
  num_hidden_layers: 24,
  num_attention_heads: 16,
  image_size: imageSize,
  patch_size: 14,
  hidden_act: 'quick_gelu',
  layer_norm_eps: 1e-5,
});

const clip = (imageSize: number) => ({
  model_type: 'clip',
  text_config: clipText,
  vision_config: clipVision(imageSize),
  projection_dim: 768,
});

/** ViT-H/14, as OpenCLIP and Google trained it. */
const vitHuge = {
  hidden_size: 1280,
  intermediate_size: 5120,
  num_hidden_layers: 32,
  num_attention_heads: 16,
  image_size: 224,
  patch_size: 14,
  hidden_act: 'gelu',
};

const openClip = {
  model_type: 'clip',
  text_config: {
    ...clipText,
    hidden_size: 1024,
    intermediate_size: 4096,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    hidden_act: 'gelu',
  },
  vision_config: { model_type: 'clip_vision_model', ...vitHuge, layer_norm_eps: 1e-5 },
  projection_dim: 1024,
};

/** SigLIP So400m/14. @param imageSize in pixels */
export const siglipVision = (imageSize: number) => ({
  model_type: 'siglip_vision_model',
  hidden_size: 1152,
  intermediate_size: 4304,
  num_hidden_layers: 27,
  num_attention_heads: 16,
  image_size: imageSize,
  patch_size: 14,
  hidden_act: 'gelu_pytorch_tanh',
  layer_norm_eps: 1e-6,
});

const internVit = (imageSize: number, numLayers: number) => ({
  model_type: 'internvl_vision',
  hidden_size: 3200,
  intermediate_size: 12_800,
  num_hidden_layers: numLayers,
  num_attention_heads: 25,
  use_qk_norm: true,
  norm_type: 'rms_norm',
  image_size: [imageSize, imageSize],
  patch_size: [14, 14],
  hidden_act: 'gelu',
  layer_norm_eps: 1e-6,
  use_mean_pooling: true,
});

export const publishedTowers = {
  'clip-vit-l-14-224': clip(224),
  'clip-vit-l-14-336': clip(336),
  'open-clip-vit-h-14': openClip,
  'vit-h-14-224': { model_type: 'vit', ...vitHuge, layer_norm_eps: 1e-12, qkv_bias: true },
  'siglip-so400m-14-224-vision': siglipVision(224),
  'siglip-so400m-14-384-vision': siglipVision(384),
  'intern-vit-6b-224': internVit(224, 48),
  'intern-vit-6b-448-v1-5': internVit(448, 45),
} satisfies Readonly<Record<string, JsonObject>>;
