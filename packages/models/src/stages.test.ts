import { startBackend } from '@mmllm/backends';
import type { JsonObject } from '@mmllm/checkpoints';
import type { MultimodalModel, Picture, Sample } from '@mmllm/core';
import { textAndImages, wordTokenizer } from '@mmllm/processors';
import { resolvePolicy, train, trained } from '@mmllm/trainer';
import { beforeAll, describe, expect, it } from 'vitest';
import { composeSystem, llava, type PublishedStage, type System, systemOf, systems } from './index';
import { caseConfig, systemCases } from './testing/cases';

beforeAll(() => startBackend({ backend: 'wasm' }));

const configs = new Map<System, JsonObject>();
for (const [name] of systemCases) {
  const json = caseConfig(name);
  configs.set(systemOf(json), json);
}

const compose = async (system: System) => (await composeSystem(system, configs.get(system)!)).model;

/** The components of which something learns, and how fast. */
function learning(model: MultimodalModel, stage: PublishedStage) {
  const { rows } = resolvePolicy(
    model,
    stage.policy,
    { learningRate: stage.learningRate ?? Number.NaN, weightDecay: 0 },
    stage.name,
  );
  return rows.filter(({ trained }) => trained > 0);
}

const all = systems.flatMap((system) =>
  system.stages.map((stage) => ({ system, stage, title: `${system.name}, ${stage.name}` })),
);

describe('a published stage', () => {
  it('is told by every system but those whose training is not published', () => {
    expect(configs.size).toBe(systems.length);
    const silent = systems.filter(({ stages }) => stages.length === 0);
    expect(silent.map(({ name }) => name)).toEqual(['Pixtral-12B', 'Fuyu-8B']);
  });

  // resolvePolicy refuses a parameter without a rule, and a rule that decides nothing.
  it.each(all)(
    'decides for every parameter, by rules of which none is dead: $title',
    async ({ system, stage }) => {
      const model = await compose(system);
      const rows = learning(model, stage);
      // A tokenizer of pictures never learns.
      const codes = model.generator?.tokenizer.countParameters() ?? 0;
      for (const { component, parameters, trained } of rows) {
        const whole = component === 'generator' ? parameters - codes : parameters;
        expect(trained, `${component} learns as a whole`).toBe(whole);
      }
    },
  );

  it.each(all)('has a source for each of its settings, and no setting without one: $title', ({ stage }) => {
    const { name, policy, sources, ...settings } = stage;
    expect(name).toMatch(/^[\w-]+$/);
    for (const key of Object.keys(settings)) expect(sources, key).toHaveProperty(key);
    const given: Record<string, unknown> = { policy, ...settings };
    if (policy.some(([, action]) => 'learningRate' in action)) given.learningRate ??= policy;
    for (const [key, source] of Object.entries(sources)) {
      expect(source === 'unknown', `${key}: ${source}`).toBe(given[key] === undefined);
    }
  });

  it.each([
    ['LLaVA-1.5', [['projector'], ['projector', 'decoder']]],
    ['LLaVA-NeXT', [['projector'], ['encoder', 'projector', 'fusion', 'decoder']]],
    ['Qwen2-VL', [['encoder', 'projector'], ['encoder', 'projector', 'decoder'], ['decoder']]],
    ['NVLM-D', [['projector'], ['projector', 'decoder']]],
    [
      'NVLM-X',
      [
        ['projector', 'fusion'],
        ['projector', 'fusion', 'decoder'],
      ],
    ],
    ['Llama 3.2 Vision', new Array(3).fill(['encoder', 'projector', 'fusion'])],
    ['Baichuan-Omni', [['projector'], ['encoder', 'projector'], ['encoder', 'projector', 'decoder']]],
  ])('trains the components that %s names', async (name, expected) => {
    const system = systems.find((other) => other.name === name)!;
    const model = await compose(system);
    const components = system.stages.map((stage) => learning(model, stage).map(({ component }) => component));
    expect(components).toEqual(expected);
  });

  it('tells learning rates of single components', async () => {
    const molmo = systems.find(({ name }) => name === 'Molmo')!;
    const rows = learning(await compose(molmo), molmo.stages[0]);
    expect(rows.map(({ component, learningRates }) => [component, learningRates])).toEqual([
      // What marks padding learns with the projector.
      ['encoder', expect.arrayContaining([6e-6, 2e-4])],
      ['projector', [2e-4]],
      ['decoder', [2e-5]],
    ]);
  });
});

describe("LLaVA's stages, on a tiny model", () => {
  const tokenizer = wordTokenizer(['light or dark ?']);
  const plain = (value: number): Picture => ({
    data: new Uint8Array(32 * 32 * 3).fill(value),
    width: 32,
    height: 32,
  });
  const data: Sample[] = [
    { prompt: '<image> light or dark ?', images: [plain(20)], answer: 'dark' },
    { prompt: '<image> light or dark ?', images: [plain(230)], answer: 'light' },
  ];

  /** The components that one step of a stage changes, by comparing bits. */
  async function changedBy(stage: PublishedStage): Promise<Set<string>> {
    const json = configs.get(llava)!;
    const text = { ...(json.text_config as JsonObject), vocab_size: tokenizer.vocabSize };
    const { model } = await composeSystem(
      llava,
      { ...json, text_config: text },
      { processor: textAndImages({ tokenizer }) },
    );
    model.initialize({ seed: 1 });
    const before = new Map<string, Uint32Array>();
    const bitsOf = async (path: string) =>
      new Uint32Array(Float32Array.from(await model.parameter(path).read()).buffer);
    for (const [path] of model.namedParameters()) before.set(path, await bitsOf(path));
    const { steps } = await train(model, { stages: [{ ...stage, data, batchSize: data.length }] });
    expect(steps).toBe(1);
    const changed = new Set<string>();
    for (const [path, bits] of before) {
      const after = await bitsOf(path);
      if (bits.some((value, i) => value !== after[i])) changed.add(path.split('.', 1)[0]);
    }
    model.dispose();
    return changed;
  }

  it('leave every bit of what is frozen', async () => {
    const [pretrain, finetune] = llava.stages;
    expect(await changedBy(pretrain)).toEqual(new Set(['projector']));
    expect(await changedBy(finetune)).toEqual(new Set(['projector', 'decoder']));
  });

  it('would be noticed if they did not', async () => {
    const changed = await changedBy({ ...llava.stages[1], policy: [['**', trained()]] });
    expect(changed).toEqual(new Set(['encoder', 'projector', 'decoder']));
  });
});
