import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBackend } from '@mmllm/backends';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DemoRun, demo } from './demo';
import type { Recipe } from './recipes';

/** The smallest sizes at which every part does its work. */
const stage = { batchSize: 8, learningRate: 1e-3, warmupSteps: 1 };
const recipe: Recipe = {
  sizes: {
    patchSize: 16,
    encoder: { hiddenSize: 16, numLayers: 1, numHeads: 2 },
    text: { hiddenSize: 16, numLayers: 1, numHeads: 2, maxLength: 8 },
    decoder: {
      hiddenSize: 16,
      numLayers: 2,
      numHeads: 2,
      intermediateSize: 32,
      initializerRange: 0.1,
      embeddingRange: 1,
    },
  },
  contrastive: { ...stage, steps: 3 },
  align: { ...stage, steps: 2 },
  instruct: { ...stage, steps: 3 },
};

let runs: string;
let printed: string;

beforeEach(() => {
  runs = mkdtempSync(join(tmpdir(), 'demo-'));
  printed = '';
  vi.spyOn(console, 'log').mockImplementation((text = '') => {
    printed += `${text}\n`;
  });
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += text;
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(runs, { recursive: true });
});

const options = (changes: Partial<DemoRun> = {}): DemoRun => ({
  encoder: 'siglip',
  fusion: 'unified',
  backend: 'wasm',
  seed: 0,
  runs,
  resume: false,
  name: 'first',
  recipe,
  limit: 12,
  ...changes,
});

/** Every step of a run's log: what must repeat. */
function losses(folder: string): unknown[] {
  return readFileSync(join(runs, folder, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === 'step')
    .map(({ stage, step, loss, gradientNorm }) => ({ stage, step, loss, gradientNorm }));
}

describe('the main job', () => {
  it('shows the freeze tables, trains, answers every test question and writes a contact sheet', async () => {
    const { overall, shown } = await demo(options());
    expect(overall.total).toBe(shown.length);
    expect(overall.total).toBeGreaterThan(50);
    for (const name of ['contrastive', 'align', 'instruct']) expect(printed).toContain(`stage ${name}`);
    expect(printed).toMatch(/encoder +[\d,]+ +frozen/);
    expect(printed).toMatch(/question type/);
    expect(existsSync(join(runs, 'first', 'answers.png'))).toBe(true);
  });

  it.each(['siglip', 'clip', 'fuyu'] as const)('trains and answers with encoder %s', async (encoder) => {
    const { overall } = await demo(options({ encoder, fusion: 'cross-attention' }));
    expect(overall.total).toBeGreaterThan(50);
    expect(printed.includes('stage contrastive')).toBe(encoder !== 'fuyu');
  });

  it('trains and answers with the hybrid fusion', async () => {
    const { overall } = await demo(options({ fusion: 'hybrid' }));
    expect(overall.total).toBeGreaterThan(50);
  });

  it('gives the same losses and answers for the same seed, and others for another', async () => {
    const first = await demo(options());
    const before = losses('first');
    const second = await demo(options());
    expect(losses('first')).toEqual(before);
    const answers = ({ shown }: typeof first) => shown.map(({ answer }) => answer);
    expect(answers(second)).toEqual(answers(first));
    await demo(options({ seed: 1, name: 'other' }));
    expect(losses('other')).not.toEqual(before);
  });

  it('goes on after an interruption as if there had been none', async () => {
    const whole = await demo(options());
    const uninterrupted = losses('first');
    const interrupt = new AbortController();
    const write = vi.mocked(process.stdout.write);
    write.mockImplementation((text) => {
      if (String(text).includes('align 1/')) interrupt.abort();
      return true;
    });
    await expect(demo(options({ signal: interrupt.signal }))).rejects.toThrow('aborted');
    const resumed = await demo(options({ resume: true }));
    expect(losses('first')).toEqual(uninterrupted);
    expect(resumed.shown.map(({ answer }) => answer)).toEqual(whole.shown.map(({ answer }) => answer));
  });

  it('leaves no tensor behind, also when it is interrupted', async () => {
    await startBackend({ backend: 'wasm' });
    const before = tf.memory().numTensors;
    await demo(options());
    expect(tf.memory().numTensors).toBe(before);
    const interrupt = AbortSignal.abort(new Error('stop'));
    await expect(demo(options({ signal: interrupt }))).rejects.toThrow('stop');
    expect(tf.memory().numTensors).toBe(before);
  });
});
