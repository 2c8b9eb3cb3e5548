import { ConfigError, FreezePolicyError, Module, type Parameter } from '@mmllm/core';
import type { FreezeAction, FreezePolicy } from './actions';
import { compilePattern } from './pattern';

/** A parameter that a stage trains. */
export interface TrainedParameter {
  readonly path: string;
  readonly parameter: Parameter;
  /** At the top of the schedule. */
  readonly learningRate: number;
  /** 0 for parameters that do not decay. */
  readonly weightDecay: number;
}

/** One line of the freeze table. */
export interface PolicyRow {
  /** First name of the paths: `encoder`, `projector`, `fusion`, `decoder`, `generator`, `objective`. */
  readonly component: string;
  /** Number of values. */
  readonly parameters: number;
  /** How many of them learn. */
  readonly trained: number;
  /** The different learning rates, as they first appear; empty when all is frozen. */
  readonly learningRates: readonly number[];
}

export interface ResolvedPolicy {
  readonly trained: readonly TrainedParameter[];
  readonly rows: readonly PolicyRow[];
}

export interface PolicyDefaults {
  readonly learningRate: number;
  readonly weightDecay: number;
}

/**
 * Applies a policy to the parameters of a module: the first pattern that holds decides. A pattern may name a part
 * without parameters, such as an encoder of raw patches, so that a policy survives when parts are swapped.
 *
 * @param component what messages call the policy: `stage 'align'.policy`.
 * @throws FreezePolicyError for a parameter without a pattern, a pattern that decides nothing, or a policy that
 * trains nothing or a parameter that is not held as float32.
 * @throws ConfigError for a learning rate, scale or weight decay that is negative or not finite.
 */
export function resolvePolicy(
  module: Module,
  policy: FreezePolicy,
  defaults: PolicyDefaults,
  component = 'policy',
): ResolvedPolicy {
  for (const [pattern, action] of policy) checkNumbers(`${component} '${pattern}'`, action);
  const rules = policy.map(([pattern, action]) => ({
    pattern,
    action,
    matches: compilePattern(pattern),
    decides: 0,
  }));
  const decided: Decided[] = [];
  const unmatched: string[] = [];
  const paths: string[] = [];
  for (const [path, parameter] of module.namedParameters()) {
    paths.push(path);
    const rule = rules.find(({ matches }) => matches(path));
    if (!rule) {
      unmatched.push(path);
      continue;
    }
    rule.decides++;
    if (rule.action.kind === 'trained' && parameter.type !== 'float32')
      throw heldParameter(component, path, parameter);
    decided.push({ path, parameter, learning: learning(rule.action, parameter, defaults) });
  }
  if (unmatched.length > 0) throw unmatchedParameters(component, unmatched);
  const empty = partsWithoutParameters(module);
  const idle = rules.find(({ decides, matches }) => decides === 0 && !empty.some(matches));
  if (idle) throw idlePattern(component, idle.pattern, paths.some(idle.matches));
  const trained = decided.flatMap(({ path, parameter, learning }) =>
    learning ? { path, parameter, ...learning } : [],
  );
  if (trained.length === 0) {
    throw new FreezePolicyError({
      component,
      expected: 'something to train',
      actual: 'every parameter frozen',
    });
  }
  return { trained, rows: summarise(decided) };
}

function checkNumbers(component: string, action: FreezeAction): void {
  if (action.kind === 'frozen') return;
  for (const key of ['learningRate', 'learningRateScale', 'weightDecay'] as const) {
    const value = action[key];
    if (value === undefined || (Number.isFinite(value) && value >= 0)) continue;
    throw new ConfigError({
      component: `${component}.${key}`,
      expected: 'a number from 0 on',
      actual: String(value),
    });
  }
}

function partsWithoutParameters(module: Module): string[] {
  const members = [...module.members()];
  return members.flatMap(([name, member]) => {
    if (!Module.isInstance(member)) return [];
    const [first] = member.namedParameters();
    return first ? [] : [name];
  });
}

interface Decided {
  readonly path: string;
  readonly parameter: Parameter;
  readonly learning: PolicyDefaults | undefined;
}

function learning(
  action: FreezeAction,
  parameter: Parameter,
  defaults: PolicyDefaults,
): PolicyDefaults | undefined {
  if (action.kind === 'frozen' || !parameter.trainable) return undefined;
  const {
    learningRate = defaults.learningRate,
    learningRateScale = 1,
    weightDecay = defaults.weightDecay,
  } = action;
  return { learningRate: learningRate * learningRateScale, weightDecay: parameter.decay ? weightDecay : 0 };
}

function summarise(decided: readonly Decided[]): PolicyRow[] {
  const rows = new Map<string, { parameters: number; trained: number; learningRates: Set<number> }>();
  for (const { path, parameter, learning } of decided) {
    const component = path.split('.', 1)[0];
    const row = rows.get(component) ?? { parameters: 0, trained: 0, learningRates: new Set() };
    rows.set(component, row);
    if (parameter.trainable) row.parameters += parameter.size;
    if (!learning) continue;
    row.trained += parameter.size;
    row.learningRates.add(learning.learningRate);
  }
  return [...rows].map(([component, row]) => ({ component, ...row, learningRates: [...row.learningRates] }));
}

function unmatchedParameters(component: string, paths: readonly string[]): FreezePolicyError {
  const shown = paths.slice(0, 3).join(', ');
  return new FreezePolicyError({
    component,
    expected: 'a pattern for every parameter',
    actual: `none for ${shown}${paths.length > 3 ? ` and ${paths.length - 3} more` : ''}`,
    hint: "End the policy with ['**', frozen] or ['**', trained()] to decide for all others.",
  });
}

function heldParameter(component: string, path: string, { type }: Parameter): FreezePolicyError {
  return new FreezePolicyError({
    component,
    expected: 'trained parameters to be held as float32',
    actual: `${path}, held as ${type}`,
    hint: "Freeze it, or go back with holdWeights(module, 'float32').",
  });
}

function idlePattern(component: string, pattern: string, shadowed: boolean): FreezePolicyError {
  return new FreezePolicyError({
    component,
    expected: 'every pattern to decide for at least one parameter',
    actual: shadowed
      ? `'${pattern}', after patterns that match all of its parameters`
      : `'${pattern}', which matches none`,
    hint: shadowed ? 'The first match wins: move it further up.' : undefined,
  });
}
