/**
 * The room lint: a package imports only what its row of the table allows, in its sources and in its manifest.
 * Tests, and what they share in `src/testing/`, may use any package; sources may not import from there.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { root } from './lib.mjs';

/** What each room may import, besides tfjs. Arrows only point to rooms listed in the row. */
export const rooms = {
  core: [],
  conformance: ['core'],
  nn: ['core'],
  backends: ['core'],
  checkpoints: ['core'],
  processors: ['core'],
  'vision-encoders': ['core', 'nn', 'checkpoints', 'processors'],
  projectors: ['core', 'nn'],
  decoders: ['core', 'nn', 'checkpoints'],
  'fusion-unified': ['core', 'nn'],
  'fusion-cross-attn': ['core', 'nn', 'fusion-unified'],
  'vq-tokenizer': ['core', 'nn', 'checkpoints'],
  trainer: ['core', 'nn', 'checkpoints', 'processors'],
  models: [
    'core',
    'nn',
    'checkpoints',
    'processors',
    'vision-encoders',
    'projectors',
    'decoders',
    'fusion-unified',
    'fusion-cross-attn',
    'vq-tokenizer',
    'trainer',
  ],
  cli: [
    'core',
    'conformance',
    'nn',
    'backends',
    'checkpoints',
    'processors',
    'vision-encoders',
    'projectors',
    'decoders',
    'fusion-unified',
    'fusion-cross-attn',
    'vq-tokenizer',
    'trainer',
    'models',
  ],
};

const importPattern = /(?:from\s+|import\s*\(\s*|import\s+)['"](@mmllm\/[^'"/]+|\.{1,2}\/[^'"]*)['"/]/g;

/** Sources below a folder, without tests and what only tests use. */
function sources(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.ts$/.test(entry.name) && !/\.test\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((file) => !relative(folder, file).split(sep).includes('testing'));
}

/** Every breach of the table, as one line each. */
export function breaches(table = rooms, base = root) {
  const found = [];
  const folders = readdirSync(join(base, 'packages'));
  for (const room of folders) {
    const allowed = table[room];
    if (!allowed) {
      found.push(`packages/${room}: not in the room table`);
      continue;
    }
    const folder = join(base, 'packages', room);
    for (const file of sources(join(folder, 'src'))) {
      for (const [, target] of readFileSync(file, 'utf8').matchAll(importPattern)) {
        const name = target.startsWith('@mmllm/') ? target.slice('@mmllm/'.length) : undefined;
        if (name && !allowed.includes(name)) {
          found.push(
            `${relative(base, file)}: ${room} may not import ${name}; allowed: ${allowed.join(', ') || 'nothing'}`,
          );
        }
        if (!name && target.split('/').includes('testing')) {
          found.push(`${relative(base, file)}: a source imports what only tests may use: ${target}`);
        }
        if (!name && relative(folder, join(file, '..', target)).startsWith('..')) {
          found.push(`${relative(base, file)}: a relative import leaves the package: ${target}`);
        }
      }
    }
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
      if (name.startsWith('@mmllm/') && !allowed.includes(name.slice('@mmllm/'.length))) {
        found.push(`packages/${room}/package.json: ${room} may not depend on ${name}`);
      }
    }
  }
  return found;
}

if (process.argv[1] && import.meta.url.endsWith(process.argv[1].split(/[\\/]/).at(-1) ?? '')) {
  const found = breaches();
  for (const line of found) console.error(line);
  if (found.length > 0) process.exit(1);
  console.log(`rooms: ${Object.keys(rooms).length} packages keep to the table`);
}
