/**
 * What each job reads, in order; the next one is read while the last is in use. One is under way at a time, and none when
 * this ends.
 *
 * @param read is given a job and 0 or 1 in turn, for memory that it may use again
 */
export async function* prefetched<J, R>(
  jobs: Iterable<J>,
  read: (job: J, turn: 0 | 1) => Promise<R>,
): AsyncGenerator<[job: J, result: R], void, undefined> {
  let turn: 0 | 1 = 0;
  let last: { job: J; result: Promise<R> } | undefined;
  try {
    for (const job of jobs) {
      const before = last && ([last.job, await last.result] as [J, R]);
      last = { job, result: start(read(job, turn)) };
      turn = turn === 0 ? 1 : 0;
      if (before) yield before;
    }
    if (last) yield [last.job, await last.result];
  } finally {
    await last?.result.catch(() => {});
  }
}

/** A failure is thrown when its turn comes; until then it is not unhandled. */
function start<R>(result: Promise<R>): Promise<R> {
  result.catch(() => {});
  return result;
}
