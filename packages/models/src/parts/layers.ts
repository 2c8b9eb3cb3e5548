import type { NameMap } from '@mmllm/checkpoints';

/**
 * The names of a decoder whose layers are counted among others in the file.
 * @param numbers of our layers there
 */
export function renumbered({ rules, ignore }: NameMap, numbers: readonly number[]): NameMap {
  return {
    rules: rules.flatMap((rule) => {
      if (!rule.ours.includes('{i}')) return rule;
      return numbers.map((number, i) => ({
        ...rule,
        ours: rule.ours.replace('{i}', `${i}`),
        theirs: rule.theirs.replace('{i}', `${number}`),
        alternatives: rule.alternatives?.map((name) => name.replace('{i}', `${number}`)),
      }));
    }),
    ignore,
  };
}
