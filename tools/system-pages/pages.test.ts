import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { startBackend } from '../../packages/backends/src/index';
import { systems } from '../../packages/models/src/index';
import { systemPages } from './pages';
import { sequence } from './sequence';

const folder = new URL('../../docs/systems/', import.meta.url);
let pages: Map<string, string>;

beforeAll(async () => {
  await startBackend({ backend: 'cpu' });
  pages = await systemPages();
});

describe('the pages of systems', () => {
  it('are what the compositions give: `npm run docs` writes them', async () => {
    for (const [name, page] of pages) {
      await expect(page).toMatchFileSnapshot(new URL(name, folder).pathname);
    }
  });

  it('are one for each system, and no more', () => {
    expect(pages.size).toBe(systems.length + 2);
    for (const name of readdirSync(folder)) expect([...pages.keys()]).toContain(name);
    const titles = [...pages.values()].map((page) => /^# (.*)$/m.exec(page)?.[1]);
    expect(titles).toEqual(expect.arrayContaining(systems.map(({ name }) => name)));
  });

  it('show the three methods as three figures', () => {
    const figureOf = (name: string) => /```mermaid\n([\s\S]*?)```/.exec(pages.get(name)!)![1];
    const [unified, across, hybrid] = ['llava.md', 'mllama.md', 'nvlm-h.md'].map(figureOf);
    expect(unified).toContain('projector -- "576 × 4,096" --> fusion');
    expect(unified).not.toContain('subgraph');
    expect(across).toContain('cross <--> layers');
    expect(across).not.toContain('sequence');
    expect(hybrid).toContain('cross <--> layers');
    expect(hybrid).toContain('--> sequence');
  });

  it('have only links that lead somewhere', () => {
    for (const [name, page] of pages) {
      for (const [, target] of page.matchAll(/\]\(((?!https:)[^)]+)\)/g)) {
        const read = () => (pages.has(target) ? '' : readFileSync(new URL(target, folder)));
        expect(read, `${name}: ${target}`).not.toThrow();
      }
    }
  });
});

describe('a sequence', () => {
  it('counts what is repeated', () => {
    const row = [
      { kind: 'features', count: 3 },
      { kind: 'text', text: '<row>' },
    ] as const;
    const end = [
      { kind: 'features', count: 3 },
      { kind: 'text', text: '<end>' },
    ] as const;
    expect(sequence([...row, ...row, ...end], 'i')).toBe('(i×3 <row>)×2 i×3 <end>');
    expect(sequence([{ kind: 'marker' }, { kind: 'text', text: 't' }], 'i')).toBe('i t');
    expect(sequence([{ kind: 'features', count: 1 }], 'i')).toBe('i');
  });
});
