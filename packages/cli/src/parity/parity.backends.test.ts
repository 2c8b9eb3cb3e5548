import { expectNoLeak } from '@mmllm/conformance';
import { expect, inject, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { fixtureFiles } from '../testing/case-files';
import { openParityCase, runParityCase } from '.';

declare module 'vitest' {
  interface ProvidedContext {
    /** `all` for every system on every backend, which takes long: the environment's MMLLM_PARITY. */
    parity: string;
  }
}

/** Every system. */
const systems = [
  ...[
    'llava',
    'llava-next',
    'paligemma',
    'fuyu',
    'qwen2-vl',
    'pixtral',
    'internvl',
    'molmo',
    'aria',
    'mllama',
  ],
  ...['nvlm-d', 'nvlm-x', 'nvlm-h', 'baichuan-omni'],
].map((family) => `${family}/base`);

/** Of the systems, one of each fusion. */
const usual = [
  'clip/quick-gelu',
  'clip/open-clip-gelu',
  'siglip/base',
  'vit/h14-layout',
  'intern-vit/6b-layout',
  'patch-linear/p16-48px',
  'llava/base',
  'mllama/base',
  'nvlm-h/base',
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

const cases =
  inject('parity') === 'all'
    ? [...new Set([...usual, ...systems, 'mm1.5/dense', 'mm1.5/moe', 'baichuan-omni/mean-pool'])]
    : usual;

/**
 * Their loss counts tokens that follow left padding, which sees nothing. PyTorch's gradient there is that of its fused
 * kernel, which ours do as well: weights of `exp(score − logSumExp)`, whose sum is not 1 where all scores are −10³⁸. The
 * references of cpu and webgl go through a softmax.
 */
const fusedAlone = /^(nvlm-[xh]|mm1\.5|baichuan-omni)\//;

describeBackends('parity', (backend) => {
  const fused = backend === 'wasm' || backend === 'webgpu';
  // A software GPU takes its time over a token.
  it.each(cases.filter((name) => fused || !fusedAlone.test(name)))(
    'of case %s, in everything it names',
    { timeout: 300_000 },
    async (name) => {
      const golden = await openParityCase(fixtureFiles(name));
      await expectNoLeak(async () => {
        const result = await runParityCase(golden).finally(golden.close);
        expect(result.message).toBe('');
        expect(result.pass).toBe(true);
      });
    },
  );
});
