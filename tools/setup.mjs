/** Installs and builds everything: `npm run setup`. A second run only checks that nothing changed. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pnpm, root, run } from './lib.mjs';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Node 20.19 or later is needed; this is ${process.versions.node}.`);
  process.exit(1);
}

/** Everything that decides what gets installed. */
function manifests() {
  const workspaces = ['packages', 'apps'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(folder, name, 'package.json')),
  );
  return [
    'package.json',
    'pnpm-lock.yaml',
    'pnpm-workspace.yaml',
    'benchmarks/package.json',
    ...workspaces,
  ].filter((file) => existsSync(join(root, file)));
}

const stampFile = join(root, 'node_modules', '.mmllm-setup');
const hash = createHash('sha256').update(process.version);
for (const file of manifests()) hash.update(readFileSync(join(root, file)));
const stamp = hash.digest('hex');

async function step(number, what, command, options) {
  const started = performance.now();
  console.log(`[${number}/2] ${what} …`);
  const code = await run(command, options);
  if (code !== 0) {
    console.error(`Set-up stopped: '${what}' failed with exit code ${code}.`);
    process.exit(code);
  }
  console.log(`[${number}/2] ${what}: done in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) {
  console.log('[1/2] packages are installed');
} else {
  await step(1, 'installing packages', [...pnpm(), 'install', '--frozen-lockfile', '--reporter=append-only']);
  writeFileSync(stampFile, stamp);
}
await step(2, 'building', [...pnpm(), 'exec', 'turbo', 'run', 'build', '--output-logs=errors-only'], {
  env: { TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', TURBO_NO_UPDATE_NOTIFIER: '1' },
});
