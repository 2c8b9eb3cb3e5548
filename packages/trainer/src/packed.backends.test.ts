import { expectNoLeak } from '@mmllm/conformance';
import type { Sample } from '@mmllm/core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { compose, questions } from './testing/composed';
import { stepOf } from './testing/gradients';

const texts: Sample[] = [
  { prompt: 'is it red ?', answer: 'no , it is blue' },
  { prompt: 'which ?', answer: 'green' },
  { prompt: 'is it blue ? which colour is it ?', answer: 'yes' },
  { prompt: 'colour ?', answer: 'no' },
];

/** The short ones fit behind the texts, so that their pictures come before that of the long one. */
const pictured: Sample[] = [
  texts[2],
  questions[1],
  ...[6, 9, 3].map((i) => ({ ...questions[i], prompt: '<image>', answer: 'no' })),
  ...questions.slice(10, 13),
  texts[0],
];

describeBackends('packing', () => {
  it.each([
    ['texts', texts],
    ['texts and pictures', pictured],
  ])('changes neither loss nor gradients: %s', { timeout: 120_000 }, async (_what, samples) => {
    const model = await compose();
    const onlyDecoder = (path: string) => path.startsWith('decoder.');
    for (const trains of [() => true, onlyDecoder]) {
      await expectNoLeak(async () => {
        const padded = await stepOf(model, samples, { trains });
        const packed = await stepOf(model, samples, { trains, packing: { length: 20 } });
        expect(packed.loss).toBeCloseTo(padded.loss, 5);
        for (const [path, gradient] of Object.entries(padded.gradients)) {
          const other = packed.gradients[path];
          expect(other === undefined, path).toBe(gradient === undefined);
          gradient?.forEach((value, i) => {
            if (Math.abs(value - other![i]) > 1e-5) expect(other![i], `${path}[${i}]`).toBeCloseTo(value, 5);
          });
        }
      });
    }
    model.dispose();
  });
});
