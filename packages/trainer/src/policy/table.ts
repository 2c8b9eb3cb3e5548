import { formatTable } from '@mmllm/core';
import type { PolicyRow } from './resolve';

/** The freeze table as text: component, parameters, how many are trained, learning rate. */
export function formatPolicyTable(rows: readonly PolicyRow[]): string {
  const count = (value: number) => value.toLocaleString('en-US');
  return formatTable([
    ['component', 'parameters', 'trained', 'learning rate'],
    ...rows.map(({ component, parameters, trained, learningRates }) => [
      component,
      count(parameters),
      trained === 0 ? 'frozen' : count(trained),
      learningRates.length > 0 ? learningRates.map(String).join(', ') : '–',
    ]),
  ]);
}
