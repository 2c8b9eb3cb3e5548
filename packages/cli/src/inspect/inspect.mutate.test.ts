import { readFileSync } from 'node:fs';
import { CheckpointError } from '@mmllm/core';
import { expect, it } from 'vitest';
import { tryMutations } from '../../../../tools/testing/mutations';
import { mutateConfig } from '../testing/mutate-config';
import { formatInspection, inspectConfig, type ParameterTree } from '.';

/** One of each architecture; every other one is a model of several parts. */
const NAMES = [
  'llava/base',
  'vit/h14-layout',
  'clip/quick-gelu',
  'decoder-llama/base',
  'siglip/base',
  'decoder-llama3/base',
  'mllama/base',
  'intern-vit/6b-layout',
  'llava-next/base',
  'paligemma/base',
  'fuyu/base',
  'qwen2-vl/base',
  'pixtral/base',
  'internvl/base',
  'nvlm-d/base',
  'nvlm-h/base',
  'molmo/base',
  'mm1.5/moe',
  'aria/base',
  'baichuan-omni/base',
  'janus/base',
  'emu3/base',
] as const;

const textOf = (name: string): string =>
  readFileSync(new URL(`../../../../fixtures/cases/${name}/model/config.json`, import.meta.url), 'utf8');

/** How many modules and parameters there are; equal layers are one node of the tree, named `layers.0…31`. */
function countNodes({ parts = {} }: ParameterTree): number {
  return Object.entries(parts).reduce((sum, [name, part]) => {
    const [, first = 0, last = 0] = /(\d+)…(\d+)$/.exec(name) ?? [];
    return sum + (Number(last) - Number(first) + 1) * (1 + countNodes(part));
  }, 0);
}

/** Builds what the text describes, shape-only. Returns how many modules and parameters that are. */
async function build(text: string): Promise<number> {
  const { parameters, components, bytes, ...rest } = await inspectConfig(parse(text));
  expect(parameters).toBeGreaterThan(0);
  expect(parameters).toBeLessThan(Number.POSITIVE_INFINITY);
  const sum = Object.values(components).reduce((sum, count) => sum + count, 0);
  expect(sum / parameters).toBeCloseTo(1, 10);
  expect(bytes / parameters).toBeCloseTo(rest.dtype === 'float64' ? 8 : rest.dtype === 'float32' ? 4 : 2, 10);
  expect(formatInspection({ parameters, components, bytes, ...rest }).length).toBeLessThan(20_000);
  return countNodes(rest.tree);
}

/** What is no JSON is not ours to read. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError({ component: 'config.json', expected: 'JSON', actual: 'another text', cause });
  }
}

it('damaged configurations are refused with a typed error or built shape-only', {
  timeout: 300_000,
}, async () => {
  const texts = NAMES.map(textOf);
  const sizes = await Promise.all(texts.map(build));
  const outcomes = await tryMutations(1900, {
    originals: Object.fromEntries(NAMES.map((name, i) => [name, () => build(texts[i])])),
    originalOf: (seed) => NAMES[seed % NAMES.length],
    attempt: async (seed) => {
      const nodes = await build(mutateConfig(texts[seed % NAMES.length], seed));
      return nodes / sizes[seed % NAMES.length];
    },
  });
  // The generator must reach both outcomes, or it shows nothing.
  expect(outcomes.refused).toBeGreaterThan(300);
  expect(outcomes.read).toBeGreaterThan(100);
});
