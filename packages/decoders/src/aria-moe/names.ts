import type { NameMap } from '@mmllm/checkpoints';
import { attentionNames, gatedMlpNames, ignoredNames, outerNames } from '../shared/names';
import { type AriaMoeConfig, parseAriaMoe } from './config';

const theirs = 'model.layers.{i}.mlp';

/** The names of transformers' `AriaTextForCausalLM`: experts are stacked, [in, out] each, gate and up side by side. */
export function ariaMoeNames(config: AriaMoeConfig): NameMap {
  const { intermediateSize } = parseAriaMoe(config);
  const joint = `${theirs}.experts.fc1.weight`;
  return {
    rules: [
      ...outerNames,
      ...attentionNames,
      { ours: 'layers.{i}.mlp.router.weight', theirs: `${theirs}.router.weight`, layout: 'linear' },
      { ours: 'layers.{i}.mlp.gateProj', theirs: joint, columns: [0, intermediateSize] },
      { ours: 'layers.{i}.mlp.upProj', theirs: joint, columns: [intermediateSize, 2 * intermediateSize] },
      { ours: 'layers.{i}.mlp.downProj', theirs: `${theirs}.experts.fc2.weight` },
      ...gatedMlpNames('mlp.sharedExperts', 'mlp.shared_experts'),
    ],
    ignore: ignoredNames,
  };
}
