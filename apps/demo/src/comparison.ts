/**
 * The same decoder under Method A, Method B and the hybrid, as NVLM compares them (Dai et al. 2024, arXiv:2409.11402):
 * pictures are cut into tiles with a thumbnail, all three learn the same questions in the same order, and what they cost
 * and answer is printed side by side.
 */
import {
  composeModel,
  type FusionFactory,
  formatTable,
  type MultimodalModel,
  type Sample,
  tokensOfPicture,
} from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { textAndImages, wordTokenizer } from '@mmllm/processors';
import { linear } from '@mmllm/projectors';
import { train, trained } from '@mmllm/trainer';
import { siglip } from '@mmllm/vision-encoders/siglip';
import { fusions, normalisation } from './composition';
import { vocabulary } from './demo';
import { type Example, loadEasyVqa } from './easy-vqa';
import { type Accuracy, evaluate } from './evaluation';
import { recipes } from './recipes';
import { percent } from './terminal';
import { questions } from './training';

const { sizes } = recipes.quick;
const { encoder, decoder } = sizes;
export interface Compared {
  readonly method: string;
  /** Features of a picture, and how many tokens stand for it in the text. */
  readonly imageTokens: number;
  readonly inSequence: number;
  /** Tokens of the longest question with its picture and answer. */
  readonly sequenceLength: number;
  readonly stepMs: number;
  readonly answers: Accuracy;
}

export interface CompareOptions {
  readonly steps: number;
  readonly seed: number;
  /** First so many pictures of either split only. */
  readonly limit?: number;
  readonly onStep?: (method: string, step: number, loss: number) => void;
  readonly signal?: AbortSignal;
}

/** Trains the three, one after the other. A backend must run. */
export async function compare({ steps, seed, limit, onStep, signal }: CompareOptions): Promise<Compared[]> {
  const [training, test] = await Promise.all([loadEasyVqa('train', limit), loadEasyVqa('test', limit)]);
  const data = questions(training);
  const compared: Compared[] = [];
  for (const [method, fusion] of Object.entries(fusions)) {
    const model = await compose(fusion(sizes), training, seed);
    try {
      const times: number[] = [];
      let before = performance.now();
      await train(model, {
        stages: [
          {
            name: 'all',
            policy: [['**', trained()]],
            data,
            ...recipes.quick.instruct,
            steps,
            learningRate: 2e-3,
          },
        ],
        ...{ seed, signal },
        onEvent(event) {
          if (event.type !== 'step') return;
          times.push(performance.now() - before);
          before = performance.now();
          onStep?.(method, event.step, event.loss);
        },
      });
      const { overall } = await evaluate(model, test, { signal });
      const picture = tokensOfPicture(model)!;
      compared.push({
        ...{ method, imageTokens: picture.features, inSequence: picture.inSequence },
        sequenceLength: await longest(model, data.slice(0, 200)),
        stepMs: median(times),
        answers: overall,
      });
    } finally {
      model.dispose();
    }
  }
  return compared;
}

/** Four tiles of a quarter each and a thumbnail of the whole; only the fusion differs. */
function compose(
  fusion: FusionFactory,
  training: readonly Example[],
  seed: number,
): Promise<MultimodalModel> {
  const tokenizer = wordTokenizer([...training.flatMap((example) => example.questions), vocabulary]);
  return composeModel(
    {
      encoder: siglip({
        ...encoder,
        ...{ imageSize: 32, patchSize: 8, poolingHead: false },
        tiling: { minTiles: 4, maxTiles: 4, thumbnail: 'last' },
        normalisation,
      }),
      projector: linear(),
      fusion,
      decoder: llama({ vocabSize: tokenizer.vocabSize, maxLength: 256, ...decoder }),
      processor: textAndImages({ tokenizer, bosToken: '<s>' }),
    },
    { seed },
  );
}

/** Tokens of the longest of these samples. Runs no kernel but for the pictures. */
async function longest(model: MultimodalModel, samples: readonly Sample[]): Promise<number> {
  const { ids, images } = await model.processor.process(samples, { padding: 'right' });
  if (images?.kind === 'dense') images.pixels.dispose();
  return ids.shape[1];
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

export function formatComparison(rows: readonly Compared[]): string {
  const head = ['method', 'image tokens', 'in the sequence', 'sequence', 'step', 'right'];
  const cells = rows.map((row) => [
    row.method,
    `${row.imageTokens}`,
    `${row.inSequence}`,
    `${row.sequenceLength}`,
    `${row.stepMs.toFixed(0)} ms`,
    percent(row.answers),
  ]);
  return formatTable([head, ...cells]);
}
