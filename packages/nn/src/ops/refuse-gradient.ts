import { ConfigError } from '@mmllm/core';
import type { Tensor } from '@tensorflow/tfjs-core';

/** For ops of the cache: the gradient of an input that must not have one. */
export const refuseGradient = (component: string) => (): Tensor => {
  throw new ConfigError({
    component,
    expected: 'a cache that nothing trained depends on',
    actual: 'one that needs a gradient',
    hint: 'Train on whole sequences, without a cache.',
  });
};
