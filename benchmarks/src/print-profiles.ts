import { stopBackend } from '@mmllm/backends';
import type { Setting, Work } from './engine.ts';
import type { BenchOptions } from './options.ts';
import { open } from './own/engine.ts';
import { type KernelTime, profileKernels } from './profile.ts';
import { ROWS, selectRows } from './rows.ts';

/** How many kernels are listed with their sizes. */
const LONGEST = 25;

/** Prints, for all that ours does in the given rows, where its time goes. */
export async function printProfiles(names: readonly string[], options: BenchOptions): Promise<void> {
  for (const { name, matches } of selectRows(ROWS, names)) {
    for (const { ours } of matches) {
      const setting = {
        backend: options.backend,
        threads: ours.threads,
        models: options.models ?? '',
        python: '',
      };
      console.log(`\n${name}, ${ours.threads === 1 ? '1 thread' : `${ours.threads} threads`}`);
      await printProfile(ours.work, setting);
    }
  }
}

async function printProfile(work: Work, setting: Setting): Promise<void> {
  const engine = await open(work, setting);
  const { ms, byKernel, bySize } = await profileKernels(() => engine.run());
  const inKernels = byKernel.reduce((sum, time) => sum + time.ms, 0);
  const outside = { kernel: '(outside kernels)', calls: 0, ms: ms - inKernels };
  console.log(`${ms.toFixed(1)} ms in all`);
  console.log(table([...byKernel, outside], ms));
  console.log(`by size, the ${LONGEST} longest:`);
  console.log(table(bySize.slice(0, LONGEST), ms));
  await stopBackend();
}

const table = (times: readonly KernelTime[], total: number): string =>
  times
    .map(({ kernel, calls, ms }) => {
      const share = `${((100 * ms) / total).toFixed(1)} %`;
      return [
        ms.toFixed(2).padStart(10),
        share.padStart(8),
        String(calls || '').padStart(6),
        ` ${kernel}`,
      ].join('');
    })
    .join('\n');
