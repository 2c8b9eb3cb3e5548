import { WeightError } from '@mmllm/core';
import type { RuleLayout } from './layout';
import type { FilePart } from './parts';
import { compileGlob, type Indices, Pattern } from './pattern';

/**
 * One line of a name map. `{i}` and other names in braces stand for integers; both sides must have the same ones.
 *
 * A file tensor that several parameters share is cut by `rows`, `blocks` or `columns`. A parameter that several file
 * tensors make up has `ourRows`, in a rule for each of them, or `stacked`.
 */
export type NameRule = RuleLayout &
  FilePart & {
    /** Path of our parameter, such as `layers.{i}.selfAttention.qProj.weight`. */
    readonly ours: string;
    /** Key in the file, such as `model.layers.{i}.self_attn.q_proj.weight`. */
    readonly theirs: string;
    /** Other spellings of `theirs` that are loaded but never written. */
    readonly alternatives?: readonly string[];
    /** Rows `ourRows[0]` to `ourRows[1]` (exclusive) of our parameter, which are this tensor, as we arrange it. */
    readonly ourRows?: readonly [start: number, end: number];
    /**
     * A placeholder that only `theirs` has: the tensors of 0, 1, 2, …, as we arrange them, are the slices of our parameter
     * along its first axis. `e` for `experts.{e}.up_proj.weight`.
     */
    readonly stacked?: string;
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

/** A place of a parameter in a file, or of a part of it. */
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
 * Where the parameter at `path` stands in a file: nowhere if no rule covers it, in several places if several tensors make
 * it up.
 * @param count how many tensors are stacked, the parameter's first size. Only needed where some are.
 * @throws WeightError for a map whose sides have different placeholders.
 */
export function toTheirs(map: NameMap, path: string, count = 1): readonly FileTarget[] {
  return rulesOf(map, path).flatMap(({ rule, ours, theirs }) => {
    const indices = ours.match(path)!;
    if (rule.stacked === undefined) return targetOf(rule, theirs, indices);
    const placeholder = rule.stacked;
    return Array.from({ length: count }, (_, i) =>
      targetOf(rule, theirs, { ...indices, [placeholder]: String(i) }),
    );
  });
}

function targetOf(rule: NameRule, theirs: readonly Pattern[], indices: Indices): FileTarget {
  const keys = theirs.map((pattern) => pattern.fill(indices));
  return { key: keys[0]!, keys, rule };
}

/** The first rule that matches; with it all others that give other rows of the same parameter. */
function rulesOf(map: NameMap, path: string): readonly CompiledRule[] {
  const matching = compile(map).rules.filter(({ ours }) => ours.match(path));
  const [first] = matching;
  if (!first?.rule.ourRows) return matching.slice(0, 1);
  return matching.filter(({ rule }) => rule.ourRows);
}

/**
 * The parameters that `key` fills, each wholly or in part. Exactly those paths that `toTheirs` leads back to `key`.
 * @throws WeightError as `toTheirs`.
 */
export function toOurs(map: NameMap, key: string): readonly ParameterTarget[] {
  const targets: ParameterTarget[] = [];
  for (const compiled of compile(map).rules) {
    const { rule, ours, theirs } = compiled;
    for (const pattern of theirs) {
      const indices = pattern.match(key);
      if (!indices) continue;
      const path = ours.fill(indices);
      if (rulesOf(map, path).includes(compiled)) targets.push({ path, rule });
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
  const expected = new Set(ours.placeholders);
  if (rule.stacked !== undefined) expected.add(rule.stacked);
  for (const { placeholders, text } of theirs) {
    const same = placeholders.size === expected.size && [...placeholders].every((p) => expected.has(p));
    if (!same) {
      throw new WeightError({
        component: 'name map',
        expected: `the placeholders of '${ours.text}'${rule.stacked === undefined ? '' : ` and {${rule.stacked}}`}`,
        actual: `those of '${text}'`,
      });
    }
  }
  return { rule, ours, theirs };
}
