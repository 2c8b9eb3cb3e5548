import { ConfigError } from '@mmllm/core';

/** @throws ConfigError naming the field of a preprocessing that does not hold what it should. */
export function checkField(field: string, holds: boolean, expected: string, actual: unknown): void {
  if (holds) return;
  throw new ConfigError({
    component: `preprocessing.${field}`,
    expected,
    actual: JSON.stringify(actual) ?? 'nothing',
  });
}

/** @throws ConfigError naming the first of the fields that is not a whole number of at least 1. */
export function checkCounts(fields: Readonly<Record<string, number>>): void {
  for (const [field, value] of Object.entries(fields)) {
    checkField(field, Number.isSafeInteger(value) && value >= 1, 'a whole number of at least 1', value);
  }
}
