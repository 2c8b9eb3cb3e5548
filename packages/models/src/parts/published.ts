import { type FreezePolicy, frozen, trained } from '@mmllm/trainer';
import type { PublishedStage } from '../stages';

type Component = 'encoder' | 'projector' | 'fusion' | 'decoder' | `generator.${string}`;

/** These learn, all others are frozen. */
export const only = (...components: readonly Component[]): FreezePolicy => [
  ...components.map((component) => [component, trained()] as const),
  ['**', frozen],
];

/** These are frozen, all others learn. */
export const allBut = (...components: readonly Component[]): FreezePolicy => [
  ...components.map((component) => [component, frozen] as const),
  ['**', trained()],
];

export const everything: FreezePolicy = allBut();

/** A stage and who tells it. */
interface Told extends Omit<PublishedStage, 'sources'> {
  /** Where everything comes from that `sources` does not name. */
  readonly from: string;
  readonly sources?: Partial<PublishedStage['sources']>;
}

/** What is told of a stage. A learning rate or a batch size that is left out is unknown. */
export function published({ from, sources, ...stage }: Told): PublishedStage {
  const { name: _, ...settings } = stage;
  const told = Object.fromEntries(Object.keys(settings).map((key) => [key, from]));
  const hasRates = stage.policy.some(([, action]) => 'learningRate' in action);
  return {
    ...stage,
    sources: {
      policy: from,
      learningRate: hasRates ? from : 'unknown',
      batchSize: 'unknown',
      ...told,
      ...sources,
    },
  };
}
