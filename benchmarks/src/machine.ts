import { cpus } from 'node:os';
import { setTimeout } from 'node:timers/promises';

/** One line about when and where; without it a table is worth nothing. */
export function describeRun(rounds: number): string {
  const cores = cpus();
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, Node ${process.version}, ${cores.length} × ${cores[0]?.model.trim()}, ${rounds} rounds`;
}

/**
 * A warning where others use more than a tenth of a core while nothing runs here. Their work falls on both sides, but
 * never evenly, and worst on engines whose threads spin.
 */
export async function busyWarning(): Promise<string | undefined> {
  const start = workTime();
  const from = performance.now();
  await setTimeout(2000);
  const cores = (workTime() - start) / (performance.now() - from);
  if (cores < 0.1) return undefined;
  return `Others kept ${cores.toFixed(1)} cores busy at the start: measure again when the machine is idle`;
}

/** Milliseconds that all cores together have worked since the machine started. */
const workTime = (): number =>
  cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);
