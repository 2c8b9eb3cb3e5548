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

/** First-fit puts the last one before others, and its picture before theirs. */
const pictures: Sample[] = [...questions.slice(0, 5), texts[0], ...questions.slice(5, 7), texts[1]];

describeBackends('packing', () => {
  it.each([
    ['texts', texts],
    ['texts and pictures', pictures],
  ])('changes neither loss nor gradients: %s', { timeout: 120_000 }, async (_what, samples) => {
    const model = await compose();
    const onlyDecoder = (path: string) => path.startsWith('decoder.');
    for (const trains of [() => true, onlyDecoder]) {
      await expectNoLeak(async () => {
        const padded = await stepOf(model, samples, { trains });
        const packed = await stepOf(model, samples, { trains, packing: { length: 24 } });
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
