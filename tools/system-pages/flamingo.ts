import { composeModel, type MultimodalModel } from '../../packages/core/src/index';
import { llama } from '../../packages/decoders/src/llama/index';
import { crossAttention } from '../../packages/fusion-cross-attn/src/index';
import type { PublishedStage } from '../../packages/models/src/index';
import { perceiverResampler } from '../../packages/projectors/src/index';
import { frozen, trained } from '../../packages/trainer/src/index';
import { clip } from '../../packages/vision-encoders/src/clip/index';
import { figure, type Seeing } from './figure';
import { linkPapers } from './markdown';
import { EXAMPLE, parameterTable, prepare, sequenceBlock } from './parts';
import { stageTable } from './stages';

const paper = 'arXiv:2204.14198';

const stage: PublishedStage = {
  name: 'train',
  policy: [
    ['projector', trained()],
    ['fusion', trained()],
    ['**', frozen],
  ],
  sources: { policy: paper, learningRate: 'unknown', batchSize: 'unknown' },
};

/** What the page shows first, and the tests of the examples run. */
const EXAMPLE_CODE = `import { startBackend } from '@mmllm/backends';
import { composeModel, type Picture, type Sample } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { crossAttention } from '@mmllm/fusion-cross-attn';
import { textAndImages, wordTokenizer } from '@mmllm/processors';
import { perceiverResampler } from '@mmllm/projectors';
import { frozen, train, trained } from '@mmllm/trainer';
import { clip } from '@mmllm/vision-encoders/clip';

await startBackend();
const tokenizer = wordTokenizer(['light or dark ?']);
const size = { hiddenSize: 32, numHeads: 4, intermediateSize: 64 };
const model = await composeModel({
  encoder: clip({ imageSize: 16, patchSize: 8, numLayers: 2, ...size }),
  projector: perceiverResampler({ numLatents: 8, numLayers: 2, numHeads: 4, headSize: 8 }),
  fusion: crossAttention({ every: 2, headNorm: false, sees: 'latest' }),
  decoder: llama({ vocabSize: tokenizer.vocabSize, numLayers: 4, ...size }), // or any other
  processor: textAndImages({ tokenizer }),
});
console.log(model.describe());

const plain = (value: number): Picture => ({
  data: new Uint8Array(16 * 16 * 3).fill(value),
  width: 16,
  height: 16,
});
const data: Sample[] = [
  { prompt: '<image> light or dark ?', images: [plain(20)], answer: 'dark' },
  { prompt: '<image> light or dark ?', images: [plain(230)], answer: 'light' },
];
// Only what is new learns: the resampler and the layers between.
await train(model, {
  stages: [
    {
      name: 'train',
      policy: [
        ['{projector,fusion}', trained()],
        ['**', frozen],
      ],
      data,
      steps: 5,
      batchSize: 2,
    },
  ],
});`;

/** Flamingo, which is no system of its own: parts that are there compose it. */
export async function flamingoPage(): Promise<string> {
  const model = (await composeModel(
    {
      encoder: clip({ imageSize: 224, patchSize: 14, hiddenSize: 1024, numLayers: 24, numHeads: 16 }),
      projector: perceiverResampler(),
      fusion: crossAttention({ every: 4, headNorm: false, sees: 'latest' }),
      decoder: llama({
        vocabSize: 32_000,
        hiddenSize: 4096,
        intermediateSize: 11_008,
        numLayers: 32,
        numHeads: 32,
      }),
    },
    { shapeOnly: true },
  )) as Seeing & MultimodalModel;
  const image = prepare(model.encoder.preprocessing);
  const sections = [
    '# Flamingo',
    linkPapers(
      `Flamingo (Alayrac et al. 2022, ${paper}): learned latents read the features of a picture, and gated cross-attention layers between the frozen ones of a language model look at them.`,
    ),
    'No file of `@mmllm/models` wires it, as its weights were never published. Three parts and any encoder and decoder make it:',
    `\`\`\`ts\n${EXAMPLE_CODE}\n\`\`\``,
    '## The figure',
    `Drawn from the composed model, with CLIP ViT-L/14 and LLaMA-7B for the paper's own tower and decoder, for a picture of ${EXAMPLE.width} × ${EXAMPLE.height}.`,
    figure(model, image),
    '## The sequence',
    'One marker stands for a picture; a token sees the latest picture before it alone.',
    sequenceBlock(model, image, '<image>'),
    '## The parameters',
    parameterTable(model),
    '## The stages',
    'One, over mixed data sets. Numbers are learning rates; `learns` stands where the rate is unknown.',
    stageTable(model, [stage]),
    '## Where this differs',
    [
      '- The layers between are those of Llama 3.2: RMSNorm and a gated MLP, where Flamingo has LayerNorm and an ungated one.',
      '- Its tower is an NFNet of its own; OpenFlamingo takes CLIP, as here.',
      "- `perceiverResampler` has the layout of OpenFlamingo's, whose weights it reads.",
    ].join('\n'),
  ];
  return `${sections.join('\n\n')}\n`;
}
