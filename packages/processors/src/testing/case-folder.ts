import { readdirSync } from 'node:fs';
import type { ProcessorFiles } from '../published/open';
import { caseFile } from './golden';

const cases = new URL('../../../../fixtures/cases/', import.meta.url);

/** The files of a golden case as a processor opens them, some of them replaced; `undefined` takes one away. */
export function caseFolder(name: string, changes: Record<string, string | undefined> = {}): ProcessorFiles {
  const names = readdirSync(new URL(`${name}/`, cases));
  const text = async (file: string) => {
    if (file in changes) return changes[file];
    return names.includes(file) ? new TextDecoder().decode(caseFile(`${name}/${file}`)) : undefined;
  };
  return {
    text,
    async json(file) {
      const found = await text(file);
      return found === undefined ? undefined : JSON.parse(found);
    },
  };
}
