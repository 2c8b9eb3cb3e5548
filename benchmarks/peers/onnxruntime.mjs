/** onnxruntime-web's wasm backend on the exported ONNX files. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-web';
import { numbers } from '../src/inputs.ts';
import { greedy } from './greedy.mjs';
import { matmulModel } from './matmul-model.mjs';
import { firstRows, readSafetensors } from './safetensors.mjs';

/** @param file of a decoder, which is there in two forms. */
export async function open(work, { models, threads }, file = 'model.onnx') {
  ort.env.wasm.numThreads = threads;
  if (work.kind === 'matmul') return openMatmul(work.size, threads);
  const folder = join(models, work.model);
  const session = await createSession(readFileSync(join(folder, 'onnx', file)), threads);
  const golden = readSafetensors(join(folder, 'golden.safetensors'));
  if (work.kind === 'decode') {
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    const ids = golden.input_ids.data;
    return { run: () => greedy(ort, session, { config, ids, count: golden.tokens.data.length }) };
  }
  const { data, shape } = firstRows(golden.pixel_values, work.batch);
  return running(session, { pixel_values: new ort.Tensor('float32', data, shape) });
}

/** The decoder with operators fused as in the files that are published for browsers. */
export const openFused = (work, setting) => open(work, setting, 'model_gqa.onnx');

const createSession = (model, threads) =>
  ort.InferenceSession.create(model, {
    executionProviders: ['wasm'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });

async function openMatmul(size, threads) {
  const session = await createSession(matmulModel(size), threads);
  const [a, b] = [1, 2].map((seed) => new ort.Tensor('float32', numbers(size * size, seed), [size, size]));
  return running(session, { a, b });
}

function running(session, feeds) {
  const [output] = session.outputNames;
  return {
    async run() {
      const { data } = (await session.run(feeds))[output];
      return { values: () => data };
    },
  };
}
