import { ShapeError } from '@mmllm/core';

/**
 * Checks that there is one value for each of `count` patches; undefined stays so.
 * @throws ShapeError for another number of values.
 */
export function checkCoverage(
  coverage: Float32Array | undefined,
  count: number,
  component: string,
): Float32Array | undefined {
  if (!coverage || coverage.length === count) return coverage;
  throw new ShapeError({
    component,
    expected: `coverage of ${count} patches`,
    actual: `${coverage.length} values`,
  });
}
