import type { CheckpointStorage } from './storage';

/** The storage with its failures turned into typed errors by `wrap`. */
export function guarded(storage: CheckpointStorage, wrap: (error: unknown) => unknown): CheckpointStorage {
  const guard =
    <A extends unknown[], R>(method: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> =>
      method(...args).catch((error: unknown) => {
        throw wrap(error);
      });
  return {
    write: guard(storage.write),
    open: guard(storage.open),
    list: guard(storage.list),
    remove: guard(storage.remove),
    commit: guard(storage.commit),
  };
}
