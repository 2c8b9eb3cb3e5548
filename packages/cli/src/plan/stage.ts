import { ConfigError } from '@mmllm/core';
import type { PublishedStage } from '@mmllm/models';
import { type FreezePolicy, trained } from '@mmllm/trainer';

/** What is trained in a stage of that name; undefined for `inference`, which trains nothing. */
export function policyOf(name: string, stages: readonly PublishedStage[] = []): FreezePolicy | undefined {
  if (name === 'inference') return undefined;
  if (name === 'all') return [['**', trained()]];
  const found = stages.find((stage) => stage.name === name);
  if (found) return found.policy;
  throw new ConfigError({
    component: 'plan stage',
    expected: ['all', 'inference', ...stages.map((stage) => stage.name)].join(', '),
    actual: `'${name}'`,
  });
}
