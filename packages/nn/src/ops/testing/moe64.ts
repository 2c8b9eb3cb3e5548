import { softmax64 } from './float64';

export interface Routing64 {
  /** Experts of a row, the largest logit first. */
  readonly experts: number[];
  readonly weights: number[];
}

/** Top-k routing of one row in double precision. */
export function route64(
  logits: readonly number[],
  k: number,
  { softmax = 'chosen', normalize = false }: { softmax?: 'chosen' | 'all'; normalize?: boolean } = {},
): Routing64 {
  const experts = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]!).slice(0, k);
  if (softmax === 'chosen') return { experts, weights: softmax64(experts.map((e) => logits[e]!)).weights };
  const all = softmax64(logits).weights;
  const shares = experts.map((e) => all[e]!);
  const sum = normalize ? shares.reduce((total, share) => total + share) : 1;
  return { experts, weights: shares.map((share) => share / sum) };
}
