import { readFileSync } from 'node:fs';
import type { JsonObject } from '../../packages/checkpoints/src/index';
import { caseConfig } from '../../packages/models/src/testing/cases';

/** What a page says that no composition knows. */
export interface SystemFacts {
  /** The page and the system's file are named so. */
  readonly file: string;
  /** The size of the figure, and what somebody else counted there. */
  readonly size: {
    readonly name: string;
    readonly config: JsonObject;
    readonly parameters?: number;
    readonly countedBy?: string;
  };
  /** The published token that stands for pictures, or a usual one. */
  readonly imageToken: string;
  /** Where there is no paper to link. */
  readonly link?: string;
  /** Where sources disagree or say nothing, and what is done here. */
  readonly notes: readonly string[];
}

interface Counted {
  readonly parameters: number;
  readonly config: JsonObject;
}

const census: Readonly<Record<string, Counted>> = JSON.parse(
  readFileSync(new URL('../../fixtures/census.json', import.meta.url), 'utf8'),
).systems;

const counted = (name: string) => ({ name: `\`${name}\``, ...census[name], countedBy: 'transformers' });
/** Of what has no class there. */
const countedBy = 'the layers of its reference code';
/** For systems of which nobody tells the sizes. */
const tiny = (name: string) => ({
  name: `\`fixtures/cases/${name}\`, tiny`,
  config: caseConfig(name),
});

const llava7b = census['llava-1.5-7b'].config;
const qwen72b: JsonObject = {
  model_type: 'qwen2',
  hidden_size: 8192,
  num_hidden_layers: 80,
  num_attention_heads: 64,
  num_key_value_heads: 8,
  intermediate_size: 29_568,
  vocab_size: 152_064,
  tie_word_embeddings: false,
};
const internVit = census['intern-vit-6b-448-v1-5'].config;
/** A layer before every eighth. The ids of the tags do not show in a page. */
const nvlmLayers: JsonObject = {
  vision_config: internVit,
  text_config: qwen72b,
  cross_attention_layers: Array.from({ length: 10 }, (_, i) => 8 * i + 7),
  tile_tag_ids: Array.from({ length: 6 }, (_, i) => [i]),
  thumbnail_tag_ids: [6],
};

const molmo7b: JsonObject = {
  model_type: 'molmo',
  hidden_size: 3584,
  num_hidden_layers: 28,
  num_attention_heads: 28,
  num_key_value_heads: 4,
  // Of both halves of the joint projection.
  intermediate_size: 37_888,
  vocab_size: 152_064,
  embedding_size: 152_064,
  additional_vocab_size: 128,
  qkv_bias: true,
  layer_norm_eps: 1e-6,
  rope_theta: 1e6,
  max_position_embeddings: 4096,
  vit_layers: [-2, -9],
  vision_backbone: {
    image_default_input_size: [336, 336],
    image_patch_size: 14,
    image_emb_dim: 1024,
    image_num_heads: 16,
    image_num_key_value_heads: 16,
    image_num_layers: 23,
    image_head_dim: 64,
    image_mlp_dim: 4096,
    image_num_pos: 577,
  },
};

export const systemFacts: readonly SystemFacts[] = [
  {
    file: 'llava',
    size: counted('llava-1.5-7b'),
    imageToken: '<image>',
    notes: [
      'The original code pads a picture to a square with the mean colour; the processor in transformers crops its centre unless told otherwise. What `preprocessor_config.json` says is done.',
      'The scripts give 32 and 16 samples to a GPU, the README 256 and 128 in all.',
      'They warm up over 3 % of the steps, which is the default of the trainer.',
    ],
  },
  {
    file: 'llava-next',
    size: {
      name: 'LLaVA-1.5-7B with a newline',
      config: { ...llava7b, model_type: 'llava_next' },
    },
    imageToken: '<image>',
    link: 'https://llava-vl.github.io/blog/2024-01-30-llava-next/',
    notes: [
      'The scripts in the repository train later models with Qwen2; those of the first models are not there.',
      'How many GPUs shared a batch is not said, so its size is unknown.',
    ],
  },
  {
    file: 'pixtral',
    size: counted('pixtral-12b'),
    imageToken: '[IMG]',
    notes: [
      "The class in transformers has `gelu` as the tower's activation by default, the reference `silu`. What the file says is taken.",
      'The reference turns neighbouring pairs of a head, transformers its halves; queries and keys are permuted to match.',
      'The tower is said to have 400M parameters; counted, it has 403M, and the projector 31M more. Its stages and learning rates are unknown.',
    ],
  },
  {
    file: 'paligemma',
    size: counted('paligemma-3b-224'),
    imageToken: '<image>',
    notes: [
      'The class in transformers has a vocabulary of 257,152 by default; the counts here take 257,216, as the published files do. Either rounds to 2.92B.',
      'Positions count from 1, as in transformers.',
      'The learning rate of the first stages is unknown. That of the tower rises slowly at first, which a policy cannot say.',
      'The lengths of the later stages, 50M and 10M examples, rest on a summary.',
    ],
  },
  {
    file: 'fuyu',
    size: counted('fuyu-8b'),
    imageToken: '|SPEAKER|',
    link: 'https://www.adept.ai/blog/fuyu-8b',
    notes: [
      'Its configuration in transformers reports a `rope_theta` of 25,000, but the language model that it builds by itself gets 10,000. The nested value of the file is taken.',
      'It is called 8B; with its embedding and head it has 9.4B parameters.',
      'How it was trained is unknown.',
    ],
  },
  {
    file: 'qwen2-vl',
    size: counted('qwen2-vl-7b'),
    imageToken: '<|image_pad|>',
    notes: [
      'The tower is said to have 675M parameters in every size. With its merger it has 665M in the 2B, 676M in the 7B and 699M in the 72B, since the merger depends on the decoder.',
      'The largest picture is 1,003,520 pixels by the default of the class and 12,845,056 by the README.',
      'Behind a video of more frames than rows and columns, transformers 5.18 lets the text go on behind the larger side. By the paper and by earlier versions it goes on behind the last frame, as here.',
      'The norms have an eps of 1e-5 by the default of the class, and 1e-6 in published files.',
      'Learning rates and batch sizes are unknown. That the merger learns and rests with the tower follows from the code, where it is a part of it.',
    ],
  },
  {
    file: 'internvl',
    size: tiny('internvl/base'),
    imageToken: '<IMG_CONTEXT>',
    notes: [
      'No published size has parts that are all among ours, so the figure is tiny.',
      'The stages are those of InternVL 1.5 with InternLM2-20B, a decoder that is not among ours. Later versions have other recipes.',
      'The second script warms up over 3 % of the steps, which is the default of the trainer.',
    ],
  },
  {
    file: 'nvlm-d',
    size: {
      name: 'NVLM-D-72B without dummy heads',
      config: {
        model_type: 'NVLM_D',
        vision_config: internVit,
        llm_config: qwen72b,
        force_image_size: 448,
        max_dynamic_patch: 6,
      },
      parameters: 78_863_416_704,
      countedBy,
    },
    imageToken: '<image>',
    notes: [
      'The published tower has seven heads more, which do nothing, so that its heads divide by eight; with them there are 79,379,593,344 parameters.',
      "The projector's norm has an eps of 1e-6 in Megatron-LM and of 1e-5 in vLLM's loader. The file may say; the default is 1e-6.",
      'Learning rates fall to a quarter and an eighth of their top, not to zero; the trainer has no such schedule.',
    ],
  },
  {
    file: 'nvlm-x',
    size: {
      name: '72B, by the paper',
      config: {
        ...nvlmLayers,
        model_type: 'nvlm_x',
        projector_config: { model_type: 'linear', bias: false },
      },
    },
    imageToken: '<Image>',
    notes: [
      'There is no code and there are no weights. What is inside of a cross-attention layer is unpublished, so the counts of the fusion are those of this reconstruction.',
      'An overview article says that the language model stays frozen in fine-tuning. The paper trains it; frozen, it is an ablation.',
      'Stage 2 falls to 1e-7 for the 72B and to 1e-6 for the 34B.',
    ],
  },
  {
    file: 'nvlm-h',
    size: {
      name: '72B, by the paper',
      config: {
        ...nvlmLayers,
        model_type: 'nvlm_h',
        projector_config: { model_type: 'normed_mlp', hidden_size: 29_568, bias: false },
      },
    },
    imageToken: '<image>',
    notes: [
      'There is no code and there are no weights. What is inside of a cross-attention layer is unpublished, so the counts of the fusion are those of this reconstruction.',
      'Where exactly the layers stand, and from where on a token sees the tiles, are conventions too, taken from Flamingo and Llama 3.2. They are listed as `choices` in `fixtures/cases/nvlm-h`.',
    ],
  },
  {
    file: 'molmo',
    size: { name: 'Molmo-7B-D', config: molmo7b, parameters: 8_021_025_280, countedBy },
    imageToken: '<im_patch>',
    notes: [
      "The mask of padding in the reference is one crop late: a crop takes its neighbour's row. The published processor does the same, and so do we.",
      'In stage 1 the connector warms up over 200 steps, tower and decoder over 2,000 each; a stage has one number, so it is left out. Rates fall to a tenth, not to zero.',
      'The extra rows of the embedding learn with the connector in the reference. Here they are rows of one table, which learns with the decoder.',
    ],
  },
  {
    file: 'mm15',
    size: tiny('mm1.5/dense'),
    imageToken: '<image>',
    notes: [
      'There is no code and there are no weights, and no source tells the sizes of the decoders.',
      'The continual stage is said to use AdaFactor; the trainer has AdamW. The rate of the first stage is unknown.',
      'What the paper leaves open is listed as `choices` in `fixtures/cases/mm1.5`.',
    ],
  },
  {
    file: 'aria',
    size: counted('aria'),
    imageToken: '<|img|>',
    notes: [
      'An overview article calls it a cross-attention model. Only its resampler attends across; its features stand in the text.',
      'The 24.9B of the paper are decoder and head without the tower; the whole has 25.3B.',
      'The paper says 3.5B active parameters for a token of text. Counted, the layers have 3.60B, and 3.86B with the head.',
      'Its 438M for the tower are tower and resampler together. Learning rates are unknown.',
    ],
  },
  {
    file: 'baichuan-omni',
    size: tiny('baichuan-omni/base'),
    imageToken: '<image>',
    notes: [
      'There is neither code nor weights. Baichuan-Omni-1.5, which has both, is another design.',
      'Sources disagree on whether 2 × 2 features are averaged or convolved; `projector_config` chooses.',
      'The 182 tokens of a view are taken as 13 rows of 13 with a newline each.',
      'Which sizes AnyRes may choose is not said, so the figure shows a single view.',
      'Which language model it has is not said. The stages are those of pictures; video, sound and the last fine-tuning are left out.',
    ],
  },
  {
    file: 'mllama',
    size: counted('llama-3.2-vision-11b-560'),
    imageToken: '<|image|>',
    notes: [
      "The tower's five inner features are the outputs of their blocks in transformers, and the inputs in Meta's code and torchtune. The paper reads like outputs, which are taken here.",
      "Tokens that see no picture skip attention and MLP in Meta's code. In transformers they skip only the MLP and attend to all pictures, also later ones; so they do here.",
      'The model card gives 88.8B for the 90B; counted, it has 88.59B. Why is unknown.',
      'The cross-attention layers are said to add 3B and 20B, which are differences of rounded names: they have 1.74B and 17.11B, and all additions together 2.6B and 18.0B.',
      "In Meta's code the eight extra rows of the embedding learn. Here they are rows of one table, which is frozen with the decoder.",
      'Before these stages the tower was trained alone, on 2.5B pairs of pictures and texts. Learning rates are unverified and left out.',
    ],
  },
  {
    file: 'janus',
    size: counted('janus-1.3b'),
    imageToken: '<image_placeholder>',
    notes: [
      "The original code has a head of its own and an attention pool that nothing reads: 2,089,232,011 parameters. In transformers' layout the head is the embedding, and the pool is gone.",
      'SigLIP has the exact GELU here, and its approximation in SigLIP itself.',
      'Vectors of codes to be read are a table of their own; the codebook serves to decode alone. Whether that table learns with the adaptors is not said.',
      'The paper looks up codes by normalised vectors; transformers compares them as they are, and so does this.',
    ],
  },
  {
    file: 'emu3',
    size: counted('emu3-8b'),
    imageToken: '<code>',
    notes: [
      'Its tokenizer is described as MoVQGAN, whose codebook has 16,384 codes; it has 32,768.',
      'The context is 131,072 tokens in the paper, and 9,216 by default in the code.',
      'The loss of codes counts half. Tuning for quality and preference optimisation follow, of which no rate is told; a separate track learns to read pictures.',
    ],
  },
];
