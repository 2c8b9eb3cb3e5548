import type { TensorInfo } from '../safetensors/dtype';
import { storedBytes } from '../safetensors/encode';
import { shardName, WEIGHTS } from './files';

/** Tensors by the file that holds them. */
export interface ShardPlan<T> {
  readonly files: ReadonlyMap<string, readonly (readonly [key: string, tensor: T])[]>;
  /** Bytes of all tensors. */
  readonly totalSize: number;
}

/**
 * Spreads tensors over files in their order. A tensor that would make a file larger than `maxShardBytes` begins the next
 * one; a tensor that is larger itself gets a file of its own, before the one that is being filled.
 * Source: `split_state_dict_into_shards_factory` of huggingface_hub 2.4.
 */
export function planShards<T extends TensorInfo>(
  tensors: Iterable<readonly [key: string, tensor: T]>,
  maxShardBytes: number,
): ShardPlan<T> {
  const shards: (readonly [string, T])[][] = [];
  let open: (readonly [string, T])[] = [];
  let openSize = 0;
  let totalSize = 0;
  for (const entry of tensors) {
    const size = storedBytes(...entry);
    totalSize += size;
    if (size > maxShardBytes) {
      shards.push([entry]);
      continue;
    }
    if (openSize + size > maxShardBytes) {
      shards.push(open);
      open = [];
      openSize = 0;
    }
    open.push(entry);
    openSize += size;
  }
  // A model without parameters gets an empty file, not none.
  if (open.length > 0 || shards.length === 0) shards.push(open);
  const name = (i: number) => (shards.length === 1 ? WEIGHTS : shardName(i, shards.length));
  return { files: new Map(shards.map((shard, i) => [name(i), shard])), totalSize };
}

/** The text of `model.safetensors.index.json`. */
export function indexText({ files, totalSize }: ShardPlan<unknown>): string {
  const entries = [...files].flatMap(([file, tensors]) => tensors.map(([key]) => [key, file] as const));
  // Entries, not assignments: a tensor may be called `__proto__`.
  const index = { metadata: { total_size: totalSize }, weight_map: Object.fromEntries(entries) };
  return `${JSON.stringify(index, null, 2)}\n`;
}
