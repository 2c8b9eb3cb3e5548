import { readFileSync } from 'node:fs';
import type { JsonObject } from '@mmllm/checkpoints';
import { published } from '@mmllm/models';
import { describe, expect, it } from 'vitest';
import { inspectConfig, inspectPublished } from '.';

interface Counted {
  readonly parameters: number;
  readonly components: Readonly<Record<string, number>>;
  readonly config: JsonObject;
}

/** Published sizes as transformers counts them. */
const census: Readonly<Record<string, Counted>> = JSON.parse(
  readFileSync(new URL('../../../../fixtures/census.json', import.meta.url), 'utf8'),
).systems;

const names = Object.keys(census);

it.each(names)('counts %s and its parts to the last parameter', async (name) => {
  const { config, parameters, components } = census[name]!;
  const inspected = await inspectConfig(config);
  expect(inspected.parameters).toBe(parameters);
  expect(inspected.components).toEqual(components);
});

describe('the published sizes that come with the package', () => {
  it('are all that were counted', async () => {
    expect(Object.keys(published)).toEqual(Object.keys(census));
    expect(Object.keys(await inspectPublished())).toEqual(names);
  });

  it.each(Object.keys(census))('say nothing of %s that its config.json does not', (name) => {
    expect(census[name]!.config).toMatchObject(published[name]!);
  });

  it.each(names)('say all that is to be built of %s', async (name) => {
    expect(await inspectConfig(published[name])).toEqual(await inspectConfig(census[name]!.config));
  });
});
