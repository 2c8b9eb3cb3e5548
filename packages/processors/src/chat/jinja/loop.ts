import { fail } from '../fail';
import { bind } from '../python/arguments';
import { equal } from '../python/compare';
import { Callable, Namespace, Tuple, Undefined, type Value } from '../python/values';

const noItem = (which: string) => new Undefined(`there is no ${which} item`);

/** Makes the `loop` of each pass. */
export function loopContexts(items: readonly Value[]): (index: number) => Namespace {
  let last: Value | undefined;
  const changed = new Callable('changed', 'method', ({ positional }) => {
    const value = new Tuple(positional);
    const same = last !== undefined && equal(last, value);
    last = value;
    return !same;
  });
  return (index) => {
    const loop = new Namespace();
    const cycle = new Callable('cycle', 'method', ({ positional, named }) => {
      bind('cycle', [], { positional: [], named });
      if (positional.length === 0) return fail('type', 'no items for cycling given');
      return positional[index % positional.length];
    });
    const entries: [string, Value][] = [
      ['index', BigInt(index + 1)],
      ['index0', BigInt(index)],
      ['revindex', BigInt(items.length - index)],
      ['revindex0', BigInt(items.length - index - 1)],
      ['first', index === 0],
      ['last', index === items.length - 1],
      ['length', BigInt(items.length)],
      // Of loops that call themselves, which the parser does not know.
      ['depth', 1n],
      ['depth0', 0n],
      ['previtem', index > 0 ? items[index - 1] : noItem('previous')],
      ['nextitem', index + 1 < items.length ? items[index + 1] : noItem('next')],
      ['cycle', cycle],
      ['changed', changed],
    ];
    for (const [name, value] of entries) loop.attributes.set(name, value);
    return loop;
  };
}
