import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { breaches, rooms } from './rooms.mjs';

const folders: string[] = [];
function workspace(source: string, dependencies = {}): string {
  const base = mkdtempSync(join(tmpdir(), 'rooms-'));
  folders.push(base);
  mkdirSync(join(base, 'packages/core/src'), { recursive: true });
  writeFileSync(join(base, 'packages/core/package.json'), JSON.stringify({ dependencies }));
  writeFileSync(join(base, 'packages/core/src/index.ts'), source);
  return base;
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

describe('room lint', () => {
  it('finds nothing in this repository', () => expect(breaches()).toEqual([]));

  it('refuses an import against the table', () => {
    const found = breaches(rooms, workspace(`import { linear } from '@mmllm/nn';`));
    expect(found).toEqual([expect.stringContaining('core may not import nn')]);
  });

  it('refuses a subpath and a dynamic import too', () => {
    expect(breaches(rooms, workspace(`export * from '@mmllm/decoders/llama';`))).toHaveLength(1);
    expect(breaches(rooms, workspace(`await import('@mmllm/trainer');`))).toHaveLength(1);
  });

  it('refuses a relative import into another package and a dependency in the manifest', () => {
    expect(breaches(rooms, workspace(`import '../../nn/src/index';`))).toHaveLength(1);
    expect(breaches(rooms, workspace('', { '@mmllm/nn': '^1.0.0' }))).toHaveLength(1);
  });

  it('refuses a source that imports what only tests may use', () => {
    expect(breaches(rooms, workspace(`import { tiny } from './testing/tiny';`))).toHaveLength(1);
  });

  it('knows every arrow is acyclic', () => {
    const order = Object.keys(rooms);
    for (const [room, allowed] of Object.entries(rooms)) {
      for (const other of allowed) expect(order.indexOf(other)).toBeLessThan(order.indexOf(room));
    }
  });
});
