import { composeMaps, type NameMap, type NameRule, prefixMap } from '@mmllm/checkpoints';
import { linearNames, normNames, patchWeightName } from '../shared/names';
import { packedAttentionNames } from '../shared/packed-attention-names';

/** The blocks of both towers: query, key and value are one projection. */
const blockNames = (hiddenSize: number): NameRule[] => [
  ...normNames('layers.{i}.attentionNorm', 'transformer.resblocks.{i}.ln_1'),
  ...packedAttentionNames('layers.{i}.selfAttention', 'transformer.resblocks.{i}.attn', hiddenSize),
  ...normNames('layers.{i}.mlpNorm', 'transformer.resblocks.{i}.ln_2'),
  ...linearNames('layers.{i}.mlp.fc1', 'transformer.resblocks.{i}.mlp.c_fc'),
  ...linearNames('layers.{i}.mlp.fc2', 'transformer.resblocks.{i}.mlp.c_proj'),
];

/** The image tower, below `visual.` in a file. */
const visionNames = (patchSize: number, hiddenSize: number): NameMap => ({
  rules: [
    { ours: 'classToken', theirs: 'class_embedding' },
    patchWeightName('conv1.weight', [patchSize, patchSize]),
    { ours: 'positionEmbedding', theirs: 'positional_embedding' },
    ...normNames('preNorm', 'ln_pre'),
    ...blockNames(hiddenSize),
    ...normNames('postNorm', 'ln_post'),
  ],
});

/** The text tower, at the top of a file. */
const textNames = (hiddenSize: number): NameMap => ({
  rules: [
    { ours: 'tokenEmbedding.weight', theirs: 'token_embedding.weight' },
    { ours: 'positionEmbedding', theirs: 'positional_embedding' },
    ...blockNames(hiddenSize),
    ...normNames('finalNorm', 'ln_final'),
  ],
  // The causal mask, a buffer of older files.
  ignore: ['attn_mask'],
});

interface Widths {
  readonly vision: { readonly patchSize: number; readonly hiddenSize: number };
  readonly text: { readonly hiddenSize: number };
}

/** The names of a `ClipModel` in open_clip's own files. Its projections are matrices, [in, out]. */
export const openClipModelNames = ({ vision, text }: Widths): NameMap =>
  composeMaps(
    prefixMap(visionNames(vision.patchSize, vision.hiddenSize), { ours: 'vision', theirs: 'visual' }),
    prefixMap(textNames(text.hiddenSize), { ours: 'text' }),
    {
      rules: [
        { ours: 'visualProjection.weight', theirs: 'visual.proj' },
        { ours: 'textProjection.weight', theirs: 'text_projection' },
        { ours: 'logitScale', theirs: 'logit_scale' },
      ],
    },
  );

/** The names of the image tower alone; the text tower and the projections are left unread. */
export const openClipVisionNames = ({ patchSize, hiddenSize }: Widths['vision']): NameMap =>
  composeMaps(prefixMap(visionNames(patchSize, hiddenSize), { theirs: 'visual' }), {
    rules: [],
    ignore: [
      'visual.proj',
      'transformer.**',
      'token_embedding.weight',
      'positional_embedding',
      'ln_final.*',
      'text_projection',
      'logit_scale',
      'attn_mask',
    ],
  });
