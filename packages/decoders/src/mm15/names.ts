import type { NameMap, NameRule } from '@mmllm/checkpoints';
import { llamaNames } from '../shared/names';

const theirs = 'model.layers.{i}.mlp';

const expertNames = (ours: string, name: string): NameRule => ({
  ours: `layers.{i}.mlp.${ours}`,
  theirs: `${theirs}.experts.{e}.${name}.weight`,
  stacked: 'e',
  layout: 'linear',
});

/** LLaMA's names, and experts as most mixtures have them, one by one. */
export const mm15Names: NameMap = {
  rules: [
    ...llamaNames.rules,
    { ours: 'layers.{i}.mlp.router.weight', theirs: `${theirs}.gate.weight`, layout: 'linear' },
    expertNames('gateProj', 'gate_proj'),
    expertNames('upProj', 'up_proj'),
    expertNames('downProj', 'down_proj'),
  ],
  ignore: llamaNames.ignore,
};
