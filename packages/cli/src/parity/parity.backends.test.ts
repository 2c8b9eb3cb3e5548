import { expectNoLeak } from '@mmllm/conformance';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { fixtureFiles } from '../testing/case-files';
import { openParityCase, runParityCase } from '.';

const cases = [
  'clip/quick-gelu',
  'clip/open-clip-gelu',
  'siglip/base',
  'vit/h14-layout',
  'intern-vit/6b-layout',
  'patch-linear/p16-48px',
  'llava/base',
  'decoder-mistral/base',
  'decoder-qwen2/base',
  'decoder-gemma/base',
  'decoder-persimmon/base',
  'decoder-aria-moe/base',
  'c-abstractor/base',
  'perceiver-resampler/base',
  'janus-vq/base',
  'emu3-vq/base',
];

describeBackends('parity', () => {
  // A software GPU takes its time over a token.
  it.each(cases)('of case %s, in everything it names', { timeout: 300_000 }, async (name) => {
    const golden = await openParityCase(fixtureFiles(name));
    await expectNoLeak(async () => {
      const result = await runParityCase(golden).finally(golden.close);
      expect(result.message).toBe('');
      expect(result.pass).toBe(true);
    });
  });
});
