import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBackend } from '@mmllm/backends';
import type { DownloadProgress } from '@mmllm/checkpoints/hub';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { FILES, REPO, startHub } from '../../../checkpoints/src/testing/hub-server';
import { loadModel } from '../index';
import { publishedFolder } from '../testing/folders';

let cacheDir: string;
beforeEach(async () => {
  for (const name of ['HF_TOKEN', 'HF_ENDPOINT', 'HF_HUB_OFFLINE']) vi.stubEnv(name, '');
  cacheDir = await mkdtemp(join(tmpdir(), 'mmllm-hub-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cacheDir, { recursive: true });
});

it('is loaded by its name on the Hub, and from the cache without it', async () => {
  await startBackend({ backend: 'wasm' });
  const storage = await publishedFolder('llava');
  for (const name of Object.keys(FILES)) delete FILES[name];
  for (const path of await storage.list('model')) {
    const source = await storage.open(path);
    FILES[path.slice('model/'.length)] = await source.read(0, source.size);
  }
  const server = await startHub();
  const progress: DownloadProgress[] = [];
  const hub = { hubUrl: server.url, token: false, cacheDir } as const;
  const first = await loadModel(REPO, { hub: { ...hub, onProgress: (step) => progress.push(step) } });
  expect(progress.at(-1)!.loaded).toBe(progress.at(-1)!.total);
  await server.close();
  const again = await loadModel(REPO, { hub: { ...hub, offline: true } });
  const [[path, parameter]] = [...first.namedParameters()];
  expect(await again.parameter(path!).read()).toEqual(await parameter!.read());
  expect(again.processor.tokenizer.vocabSize).toBe(first.processor.tokenizer.vocabSize);
  first.dispose();
  again.dispose();
});
