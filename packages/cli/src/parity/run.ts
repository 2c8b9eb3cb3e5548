import type { ParityCase } from './case';
import { Comparison, type Worst } from './comparison';
import { families, familyNamed, type ParityFamilies } from './families';

/** What came of one case. */
export interface ParityResult {
  /** `family/variant` */
  readonly case: string;
  readonly pass: boolean;
  /** Absent where nothing was compared. */
  readonly worst?: Worst;
  /** Golden tensors that were compared, and those that were not; these are failures. */
  readonly compared: readonly string[];
  readonly notCompared: readonly string[];
  /** What is wrong; empty for a case that passes. */
  readonly message: string;
}

/** Runs a case on the backend that is active, and compares every output and gradient it names. Never throws. */
export async function runParityCase(
  golden: ParityCase,
  known: ParityFamilies = families,
): Promise<ParityResult> {
  const comparison = new Comparison(golden);
  const problems: string[] = [];
  const run = familyNamed(golden.family, known);
  if (run) {
    await run(golden, comparison)
      .catch((error: unknown) => {
        problems.push(error instanceof Error ? error.message : String(error));
      })
      .finally(() => comparison.dispose());
  } else {
    problems.push(`family '${golden.family}' is none of ${Object.keys(known).join(', ')}`);
  }
  problems.unshift(...comparison.failures);
  const { compared, missed, worst } = comparison;
  if (missed.length > 0) problems.push(`not compared: ${missed.join(', ')}`);
  if (compared.size === 0 && problems.length === 0) problems.push('the case has nothing to compare');
  return {
    case: golden.name,
    pass: problems.length === 0,
    worst,
    compared: [...compared],
    notCompared: missed,
    message: shortened(problems),
  };
}

/** A broken model misses everything: the first ones say enough. */
const MOST_PROBLEMS = 12;

function shortened(problems: readonly string[]): string {
  const more = problems.length - MOST_PROBLEMS;
  return [...problems.slice(0, MOST_PROBLEMS), ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}
