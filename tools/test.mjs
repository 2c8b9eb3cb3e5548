/**
 * Everything that must hold: `npm test`. Set-up, lint, types, tests in Node and in Chromium, and the examples of the
 * READMEs. The last line adds up all runners: `N passed, N failed`.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findChromium, findVulkan, root, run } from './lib.mjs';

const bin = (name) => join(root, 'node_modules', '.bin', name);
const scratch = mkdtempSync(join(tmpdir(), 'mmllm-test-'));
const total = { passed: 0, failed: 0 };

function count(name, passed, failed) {
  total.passed += passed;
  total.failed += failed;
  console.log(`${name}: ${passed} passed, ${failed} failed\n`);
}

/** One check that passes or fails as a whole. */
async function check(name, command) {
  console.log(`── ${name}`);
  const code = await run(command);
  count(name, code === 0 ? 1 : 0, code === 0 ? 0 : 1);
}

/** A vitest project, counted by its own report; a run that dies without one counts as a failure. */
async function vitest(project) {
  console.log(`── tests (${project})`);
  const report = join(scratch, `${project}.json`);
  const code = await run([
    bin('vitest'),
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]);
  let passed = 0;
  let failed = 0;
  try {
    const result = JSON.parse(readFileSync(report, 'utf8'));
    passed = result.numPassedTests;
    failed =
      result.numFailedTests +
      result.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
        .length;
  } catch {
    failed = 1;
  }
  count(`tests (${project})`, passed, code !== 0 && failed === 0 ? 1 : failed);
}

/** What this machine cannot test: one line for people, and a failure under CI. */
function leftOut(what, why) {
  const mend =
    'Install one (Debian: apt-get install chromium brings both), or name a browser in MMLLM_CHROMIUM.';
  console.log(`Left out: ${what}, since ${why}. ${mend}`);
  if (process.env.CI) count(what, 0, 1);
}

const setup = await run(['node', 'tools/setup.mjs']);
if (setup !== 0) {
  console.log('0 passed, 1 failed');
  process.exit(setup);
}
await check('lint', [bin('biome'), 'check', '.']);
await check('rooms', ['node', 'tools/rooms.mjs']);
await check('types', [bin('tsc'), '-p', 'tsconfig.json']);
await vitest('node');
if (findChromium()) await vitest('browser');
else leftOut('the browser tests', 'no Chromium was found');
if (!findVulkan()) leftOut('WebGPU in Node', 'no Vulkan driver was found');
await check('README examples', ['node', 'tools/readme-examples.mjs']);
rmSync(scratch, { recursive: true });
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed === 0 ? 0 : 1);
