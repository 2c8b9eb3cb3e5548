import { WeightError } from '@mmllm/core';
import type { RuleLayout } from './layout';
import { compileGlob, Pattern } from './pattern';

/**
 * One line of a name map. `{i}` and other names in braces stand for integers; both sides must have the same ones.
 *
 * `rows` is for a file tensor that several parameters share, such as the joint query, key and value projection of
 * `torch.nn.MultiheadAttention`: this rule's part is rows `rows[0]` to `rows[1]` (exclusive) of its first axis,
 * cut before `layout` applies.
 */
export type NameRule = RuleLayout & {
  /** Path of our parameter, such as `layers.{i}.selfAttention.qProj.weight`. */
  readonly ours: string;
  /** Key in the file, such as `model.layers.{i}.self_attn.q_proj.weight`. */
  readonly theirs: string;
  /** Other spellings of `theirs` that are loaded but never written. */
  readonly alternatives?: readonly string[];
  readonly rows?: readonly [start: number, end: number];
};

/**
 * How the parameters of a module are called in somebody's checkpoint, as data. Read both ways: to load and to save.
 * The first rule that matches a path decides.
 */
export interface NameMap {
  readonly rules: readonly NameRule[];
  /** Keys that a file may hold and that no parameter wants: names with `{i}`, `*` (one part) and `**` (any text). */
  readonly ignore?: readonly string[];
}

/** A parameter's place in a file. */
export interface FileTarget {
  /** The key that is written. */
  readonly key: string;
  /** All keys that are loaded, `key` first. */
  readonly keys: readonly string[];
  readonly rule: NameRule;
}

/** A parameter that a file tensor fills, wholly or with some rows. */
export interface ParameterTarget {
  readonly path: string;
  readonly rule: NameRule;
}

interface CompiledRule {
  readonly rule: NameRule;
  readonly ours: Pattern;
  readonly theirs: readonly Pattern[];
}

interface CompiledMap {
  readonly rules: readonly CompiledRule[];
  readonly ignore: readonly RegExp[];
}

/**
 * Where the parameter at `path` stands in a file; undefined if no rule covers it.
 * @throws WeightError for a map whose sides have different placeholders.
 */
export function toTheirs(map: NameMap, path: string): FileTarget | undefined {
  for (const { rule, ours, theirs } of compile(map).rules) {
    const indices = ours.match(path);
    if (!indices) continue;
    const keys = theirs.map((pattern) => pattern.fill(indices));
    return { key: keys[0]!, keys, rule };
  }
  return undefined;
}

/**
 * The parameters that `key` fills: one, or several where rules share it by `rows`. Exactly those paths that `toTheirs`
 * leads back to `key`.
 * @throws WeightError as `toTheirs`.
 */
export function toOurs(map: NameMap, key: string): readonly ParameterTarget[] {
  const targets: ParameterTarget[] = [];
  for (const { rule, ours, theirs } of compile(map).rules) {
    for (const pattern of theirs) {
      const indices = pattern.match(key);
      if (!indices) continue;
      const path = ours.fill(indices);
      if (toTheirs(map, path)?.rule === rule) targets.push({ path, rule });
      break;
    }
  }
  return targets;
}

/** Whether the map says that nothing wants `key`. */
export function isIgnored(map: NameMap, key: string): boolean {
  return compile(map).ignore.some((pattern) => pattern.test(key));
}

/** One map from several, for instance of an encoder, a projector and a decoder. Earlier ones decide first. */
export function composeMaps(...maps: readonly NameMap[]): NameMap {
  return { rules: maps.flatMap((map) => map.rules), ignore: maps.flatMap((map) => map.ignore ?? []) };
}

export interface Prefixes {
  /** Put before our paths: `encoder` turns `layers.0` into `encoder.layers.0`. */
  ours?: string;
  /** Put before the file's keys; of several, the first is written and all are loaded. */
  theirs?: string | readonly string[];
}

/** A part's map as it reads within a whole model. Empty prefixes change nothing. */
export function prefixMap(map: NameMap, { ours = '', theirs = '' }: Prefixes): NameMap {
  const prefixes = typeof theirs === 'string' ? [theirs] : theirs;
  const expand = (text: string) => prefixes.map((prefix) => join(prefix, text));
  return {
    rules: map.rules.map((rule) => {
      const [first, ...others] = [rule.theirs, ...(rule.alternatives ?? [])].flatMap(expand);
      return { ...rule, ours: join(ours, rule.ours), theirs: first!, alternatives: others };
    }),
    ignore: (map.ignore ?? []).flatMap(expand),
  };
}

const join = (prefix: string, name: string): string => (prefix === '' ? name : `${prefix}.${name}`);

const compiled = new WeakMap<NameMap, CompiledMap>();

function compile(map: NameMap): CompiledMap {
  let result = compiled.get(map);
  if (!result) {
    result = { rules: map.rules.map(compileRule), ignore: (map.ignore ?? []).map(compileGlob) };
    compiled.set(map, result);
  }
  return result;
}

function compileRule(rule: NameRule): CompiledRule {
  const ours = new Pattern(rule.ours);
  const theirs = [rule.theirs, ...(rule.alternatives ?? [])].map((text) => new Pattern(text));
  for (const { placeholders, text } of theirs) {
    const same =
      placeholders.size === ours.placeholders.size &&
      [...placeholders].every((p) => ours.placeholders.has(p));
    if (!same) {
      throw new WeightError({
        component: 'name map',
        expected: `the placeholders of '${ours.text}'`,
        actual: `those of '${text}'`,
      });
    }
  }
  return { rule, ours, theirs };
}
