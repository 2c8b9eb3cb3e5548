import { expectNoLeak } from '@mmllm/conformance';
import '@tensorflow/tfjs-backend-cpu';
import { expect, it } from 'vitest';
import { fixtureFiles } from '../testing/case-files';
import { families, openParityCase, runParityCase } from '.';

const cases = Object.keys(families)
  .filter((family) => family.startsWith('images-'))
  .map((family) => `${family}/base`);

// PNG, decoded in the page.
it.each([...cases, 'images-mm15/wide-range'])('of case %s in a browser', async (name) => {
  const golden = await openParityCase(fixtureFiles(name));
  await expectNoLeak(async () => {
    const { message, pass, notCompared } = await runParityCase(golden).finally(golden.close);
    expect(message).toBe('');
    expect(notCompared).toEqual([]);
    expect(pass).toBe(true);
  });
});
