import { readFileSync } from 'node:fs';
import type { JsonObject } from '@mmllm/checkpoints';
import { expect, it } from 'vitest';
import { inspectConfig } from '.';

interface Counted {
  readonly parameters: number;
  readonly components: Readonly<Record<string, number>>;
  readonly config: JsonObject;
}

/** Published sizes as transformers counts them. */
const census: Readonly<Record<string, Counted>> = JSON.parse(
  readFileSync(new URL('../../../../fixtures/census.json', import.meta.url), 'utf8'),
).systems;

it.each(Object.keys(census))('counts %s and its parts to the last parameter', async (name) => {
  const { config, parameters, components } = census[name]!;
  const inspected = await inspectConfig(config);
  expect(inspected.parameters).toBe(parameters);
  expect(inspected.components).toEqual(components);
});
