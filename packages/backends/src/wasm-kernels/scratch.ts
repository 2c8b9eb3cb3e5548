import { BackendError } from '@mmllm/core';
import type { Heap } from './side-module';

interface Block {
  address: number;
  bytes: number;
  lent: boolean;
}

/** The scratch memory of each heap. */
const blocks = new WeakMap<WebAssembly.Memory, Block>();

/** Large requests differ a little from batch to batch; a block that is rounded up serves them all. */
const GRAIN = 2 ** 16;

/**
 * Lends memory of a heap for the time of `use`, 8-byte aligned and of any content. It is one block that is kept and
 * only grows: taken and given back at every call, it would leave holes among the tensors into which no larger tensor
 * fits, and the memory, which can never shrink, would grow. Within `use`, a second block is for that time alone.
 *
 * @param component for the message
 * @throws BackendError if the memory is full.
 */
export function withScratch(
  component: string,
  heap: Heap,
  bytes: number,
  use: (address: number) => void,
): void {
  const kept = blocks.get(heap.memory) ?? { address: 0, bytes: 0, lent: false };
  blocks.set(heap.memory, kept);
  if (kept.lent) {
    const address = allocate(component, heap, bytes);
    try {
      use(address);
    } finally {
      heap.free(address);
    }
    return;
  }
  if (kept.bytes < bytes) grow(component, heap, kept, bytes);
  kept.lent = true;
  try {
    use(kept.address);
  } finally {
    kept.lent = false;
  }
}

function grow(component: string, heap: Heap, block: Block, bytes: number): void {
  const rounded = Math.ceil(bytes / GRAIN) * GRAIN;
  heap.free(block.address);
  // No block, should there be no memory.
  Object.assign(block, { address: 0, bytes: 0 });
  Object.assign(block, { address: allocate(component, heap, rounded), bytes: rounded });
}

function allocate(component: string, { malloc }: Heap, bytes: number): number {
  const address = malloc(bytes);
  if (address !== 0) return address;
  throw new BackendError({
    component,
    expected: `${bytes} bytes of scratch memory`,
    actual: 'the memory is full',
  });
}
