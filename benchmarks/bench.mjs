/**
 * `npm run bench` and `npm run bench:tokens`: builds the packages, installs the peers apart from the workspace, and runs the benchmark under the
 * Node that came with them. The options are in `src/options.ts` and `src/tokens/main.ts`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../tools/lib.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const peers = join(here, 'peers');

/** Once, and again when what is to be installed has changed. Scripts stay off: no peer needs any. */
async function installPeers() {
  const wanted = readFileSync(join(peers, 'package.json'), 'utf8');
  const stamp = join(peers, 'node_modules', '.installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.error('installing the peers …');
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  await check(['npm', '--prefix', peers, 'install', ...options]);
  writeFileSync(stamp, wanted);
}

/** @param {string[]} command that must succeed. */
async function check(command) {
  const code = await run(command, { quiet: true });
  if (code !== 0) process.exit(code);
}

/** Node 24, which reads TypeScript, from the package for this platform. */
function findNode() {
  const modules = join(peers, 'node_modules');
  const files = readdirSync(modules)
    .filter((name) => name.startsWith('node-'))
    .flatMap((name) => ['node', 'node.exe'].map((file) => join(modules, name, 'bin', file)));
  const found = files.find((file) => existsSync(file));
  if (found) return found;
  if (process.versions.node.startsWith('24.')) return process.execPath;
  console.error('There is no Node 24 for this platform in the registry: run the benchmark with Node 24.');
  process.exit(1);
}

console.error('building the packages …');
await check(['node', 'tools/setup.mjs']);
await installPeers();
const [first, ...rest] = process.argv.slice(2);
const [main, args] = first === 'tokens' ? ['tokens/main.ts', rest] : ['main.ts', process.argv.slice(2)];
const { status } = spawnSync(findNode(), [join(here, 'src', main), ...args], { stdio: 'inherit' });
process.exit(status ?? 1);
