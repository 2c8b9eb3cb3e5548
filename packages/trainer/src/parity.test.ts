import { readFileSync } from 'node:fs';
import { startBackend } from '@mmllm/backends';
import { composeMaps, loadWeights, type NameMap, prefixMap, saveWeights } from '@mmllm/checkpoints';
import { assertTensorsClose } from '@mmllm/conformance';
import { composeModel, type ModelInputs, type Module, type ProcessorFactory, type Sample } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { unified } from '@mmllm/fusion-unified';
import { mlp } from '@mmllm/projectors';
import { ClipModel, clip, clipModelNames, clipText } from '@mmllm/vision-encoders/clip';
import { SiglipModel, siglip, siglipModelNames, siglipText } from '@mmllm/vision-encoders/siglip';
import { beforeAll, describe, expect, it } from 'vitest';
import { type GoldenCase, openCase } from '../../vision-encoders/src/testing/golden';
import { contrastive, frozen, type SampleSource, type TrainingStep, train, trained } from '.';
import { readAll } from './testing/toy';

beforeAll(() => startBackend({ backend: 'wasm' }));

interface GoldenStage {
  name: string;
  trained: string[];
  lr: number;
  steps: number;
  warmup: number;
  weight_decay: number;
  clip: number;
  accumulate: number;
  log: { loss: number; grad_norm: number; lr: number }[];
}

interface GoldenRun {
  stages: GoldenStage[];
  tensors: Record<string, unknown>;
}

/** How PyTorch ran a case, step by step. */
function runOf(name: string): GoldenRun {
  const path = new URL(`../../../fixtures/cases/${name}/case.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8'));
}

const settings = ({ name, lr, steps, warmup, weight_decay, clip, accumulate }: GoldenStage) => ({
  name,
  learningRate: lr,
  steps,
  warmupSteps: warmup,
  weightDecay: weight_decay,
  clipNorm: clip,
  accumulate,
});

/** Samples in the order of PyTorch's run, whatever the shuffled order asks for. */
function inOrder<S>(samples: readonly S[]): SampleSource<S> {
  let taken = 0;
  return { length: samples.length, get: () => samples[taken++ % samples.length] };
}

/** The largest deviation of any step, as the case's tolerance measures it. */
function deviation(steps: readonly TrainingStep[], stages: readonly GoldenStage[]): number {
  const expected = stages.flatMap(({ log }) => log);
  expect(steps).toHaveLength(expected.length);
  const differences = steps.flatMap(({ loss, gradientNorm, learningRate }, i) => {
    expect(learningRate).toBeCloseTo(expected[i].lr, 12);
    const far = (actual: number, wanted: number) => Math.abs(actual - wanted) / Math.max(1, Math.abs(wanted));
    return [far(loss, expected[i].loss), far(gradientNorm, expected[i].grad_norm)];
  });
  return Math.max(...differences);
}

async function collect(run: AsyncIterable<TrainingStep>): Promise<TrainingStep[]> {
  const steps: TrainingStep[] = [];
  for await (const step of run) steps.push(step);
  return steps;
}

/** Compares trained weights with those after PyTorch's last step; the case has only the small ones. */
async function expectWeights(
  { golden, tensors }: { golden: GoldenCase; tensors: GoldenRun['tensors'] },
  module: Module,
  names: NameMap,
  nameOf: (key: string) => string,
) {
  let compared = 0;
  for (const [key, { shape, read }] of saveWeights(module, names)) {
    const name = nameOf(key);
    if (!(name in tensors)) continue;
    const data = new Float32Array((await read()).buffer);
    await assertTensorsClose({ shape, data }, golden.tensor(name), { tolerance: golden.tolerance, name });
    compared++;
  }
  expect(compared).toBeGreaterThan(10);
}

const towers = {
  clip: (config: unknown) => {
    const vision = clip.checkpoint.config(config);
    const text = clipText(clipText.checkpoint.config(config));
    return {
      model: new ClipModel({ vision: clip(vision), text, projectionSize: 16 }),
      names: clipModelNames(vision),
    };
  },
  siglip: (config: unknown) => {
    const vision = siglip.checkpoint.config(config);
    const text = siglipText(siglipText.checkpoint.config(config));
    return { model: new SiglipModel({ vision: siglip(vision), text }), names: siglipModelNames(vision) };
  },
};

describe.each(['clip', 'siglip'] as const)('case train-%s', (kind) => {
  const name = `train-${kind}/base`;
  const { stages, tensors } = runOf(name);

  /** Runs the case with weights changed by `change`. */
  async function run(change: (model: Module) => Promise<void> = async () => {}) {
    const golden = await openCase(name);
    const { model, names } = towers[kind](golden.config);
    await loadWeights(model, golden.weights, names);
    await change(model);
    const data = inOrder(
      [0, 1].flatMap((batch) =>
        [0, 1, 2, 3].map((row) => ({ image: `${batch}`, caption: `${batch} ${row}` })),
      ),
    );
    const processor = {
      tokenizer: {
        vocabSize: 60,
        encode: (caption: string) => {
          const [batch, row] = caption.split(' ').map(Number);
          const { data, shape } = golden.ids(`in.${batch}.input_ids`);
          return data.slice(row * shape[1], (row + 1) * shape[1]);
        },
        decode: () => '',
        tokenId: () => undefined,
      },
      prepareImages: async ([image]: readonly unknown[]) => golden.images(`in.${image}.pixel_values`),
    };
    const objective = contrastive(model, processor);
    const stage = {
      ...settings(stages[0]),
      policy: [['**', trained()]],
      objective,
      data,
      batchSize: 4,
    } as const;
    const steps = await collect(train(model, { stages: [stage] }));
    return { golden, model, names, steps };
  }

  it('takes the steps that PyTorch takes', async () => {
    const { golden, model, names, steps } = await run();
    expect(deviation(steps, stages)).toBeLessThan(golden.tolerance);
    await expectWeights({ golden, tensors }, model, names, (key) => `out.final.pretrain.${key}`);
    model.dispose();
  });

  it('would show a perturbed weight', async () => {
    const { golden, model, steps } = await run(async (perturbed) => {
      const weight = perturbed.parameter('vision.layers.0.mlp.fc1.weight');
      weight.assign((await weight.read()).map((value) => value * 1.1));
    });
    expect(deviation(steps, stages)).toBeGreaterThan(golden.tolerance);
    model.dispose();
  });
});

describe('case train-llava', () => {
  const name = 'train-llava/base';
  const { stages, tensors } = runOf(name);
  const [align, instruct] = stages;

  async function run(change: (model: Module) => Promise<void> = async () => {}) {
    const golden = await openCase(name);
    const { text_config, image_token_index } = golden.config as LlavaConfig;
    const vision = clip.checkpoint.config(golden.config);
    const model = await composeModel(
      {
        encoder: clip(vision),
        projector: mlp(),
        fusion: unified(),
        decoder: llama(llama.checkpoint.config(text_config)),
        processor: readyBatches(golden, image_token_index),
      },
      { shapeOnly: true },
    );
    const names = composeMaps(
      prefixMap(clip.checkpoint.names(vision, 'vision_tower'), { ours: 'encoder' }),
      projectorNames,
      prefixMap(llama.checkpoint.names(), { ours: 'decoder', theirs: 'language_model' }),
    );
    await loadWeights(model, golden.weights, names);
    await change(model);
    const before = await readAll(model);
    const policies = {
      align: [
        ['projector', trained()],
        ['**', frozen],
      ],
      instruct: [
        ['encoder', frozen],
        ['**', trained()],
      ],
    } as const;
    const data = () =>
      inOrder([0, 1, 2, 3].map((batch) => ({ prompt: `${batch}`, images: [`${batch}`, `${batch}`] })));
    const run = train(model, {
      stages: [
        { ...settings(align), policy: policies.align, data: data() },
        { ...settings(instruct), policy: policies.instruct, data: data() },
      ],
      // A batch of the case is one sample here.
      batchSize: 1,
      // Its pictures have no object to be known by.
      featureCacheBytes: 0,
    });
    const steps = await collect(run);
    return { golden, model, names, steps, before };
  }

  it('takes the steps that PyTorch takes under both freeze policies', async () => {
    const { golden, model, names, steps, before } = await run();
    expect(deviation(steps, stages)).toBeLessThan(golden.tolerance);
    const inMemory = (key: string) =>
      `out.final.instruct.model.${key.replace('language_model.model.', 'language_model.')}`;
    await expectWeights({ golden, tensors }, model, names, inMemory);
    const after = await readAll(model);
    const changed = Object.keys(after).filter((path) => String(after[path]) !== String(before[path]));
    expect(changed.filter((path) => path.startsWith('encoder'))).toEqual([]);
    expect(changed).toHaveLength(instruct.trained.length);
    model.dispose();
  });

  it('would show a perturbed weight', async () => {
    const { golden, model, steps } = await run(async (perturbed) => {
      const weight = perturbed.parameter('encoder.layers.0.mlp.fc1.weight');
      weight.assign((await weight.read()).map((value) => value * 1.2));
    });
    expect(deviation(steps, stages)).toBeGreaterThan(golden.tolerance);
    model.dispose();
  });
});

interface LlavaConfig {
  text_config: Record<string, unknown>;
  image_token_index: number;
}

/** How LLaVA-1.5 names the two layers of its projector. */
const projectorNames: NameMap = {
  rules: [0, 1].flatMap((i) => {
    const [ours, theirs] = [`projector.layers.${i}`, `multi_modal_projector.linear_${i + 1}`];
    return [
      { ours: `${ours}.weight`, theirs: `${theirs}.weight`, layout: 'linear' },
      { ours: `${ours}.bias`, theirs: `${theirs}.bias` },
    ];
  }),
};

/** Gives the case's batch that a sample's prompt numbers. */
function readyBatches(golden: GoldenCase, imageTokenId: number): ProcessorFactory {
  const process = async ([sample]: readonly Sample[]): Promise<ModelInputs> => {
    const batch = 'prompt' in sample ? sample.prompt : '';
    const ids = golden.ids(`in.${batch}.input_ids`);
    const [size, length] = ids.shape;
    const { data } = golden.ids(`in.${batch}.labels`);
    // Ours say what each position predicts, theirs what each position is.
    const labels = data.map((_, i) => (i % length === length - 1 ? -100 : data[i + 1]));
    const imagesPerSample = new Array(size).fill(1);
    return { ids, imageTokenId, imagesPerSample, images: golden.images(`in.${batch}.pixel_values`), labels };
  };
  const nothing = () => {
    throw new Error('not needed here');
  };
  const tokenizer = { vocabSize: 0, encode: nothing, decode: nothing, tokenId: nothing };
  return {
    specVersion: 'processor/v1',
    build: () => ({ specVersion: 'processor/v1', tokenizer, stopIds: [], process, prepareImages: nothing }),
  };
}
