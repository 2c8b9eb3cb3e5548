import { parseObject, readText } from '../folder/read-text';
import type { CheckpointStorage } from '../storage/storage';
import type { HubModel } from './api';
import type { HubTarget } from './options';

/** Where a model's files lie below a cache's root, as huggingface_hub names it. */
export const repoFolder = ({ repo }: HubTarget): string => `models--${repo.replace('/', '--')}`;

const recordPath = (target: HubTarget) =>
  `${repoFolder(target)}/refs/${encodeURIComponent(target.revision)}.json`;

/** Keeps which commit and files the revision stood for. */
export async function remember(
  target: HubTarget,
  model: HubModel,
  storage: CheckpointStorage,
): Promise<void> {
  const text = JSON.stringify(model);
  await storage.write(recordPath(target), new TextEncoder().encode(text), { signal: target.signal });
}

/** What was kept; undefined if nothing was. */
export async function recall(target: HubTarget, storage: CheckpointStorage): Promise<HubModel | undefined> {
  const path = recordPath(target);
  if (!(await storage.list(`${repoFolder(target)}/refs`)).includes(path)) return undefined;
  // Written by `remember` alone.
  return parseObject(await readText(storage, path), path) as unknown as HubModel;
}
