/**
 * Every \`\`\`ts block of every README, and of the pages of systems, is a program: this writes each into a file, checks its types and runs it in Node.
 * A block after \`<!-- types only -->\` is checked but not run (it needs a browser, a download or long training).
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './lib.mjs';

/** Inside the demo, to which every package is linked. */
const scratch = join(root, 'apps', 'demo', '.readme-examples');
const readmes = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'packages')).map((name) => `packages/${name}/README.md`),
  ...readdirSync(join(root, 'docs', 'systems')).map((name) => `docs/systems/${name}`),
];

/** The blocks of one page, in order. */
function blocks(page) {
  return [...page.matchAll(/(<!-- types only -->\s*)?```ts\n([\s\S]*?)```/g)].map(([, typesOnly, code]) => ({
    code,
    runs: !typesOnly,
  }));
}

rmSync(scratch, { recursive: true, force: true });
mkdirSync(scratch, { recursive: true });
const programs = [];
for (const readme of readmes) {
  const path = join(root, readme);
  const found = existsSync(path) ? blocks(readFileSync(path, 'utf8')) : [];
  if (found.length === 0 && readme.startsWith('packages/')) {
    console.error(`${readme}: has no ts example`);
    process.exitCode = 1;
  }
  found.forEach(({ code, runs }, index) => {
    const file = join(scratch, `${readme.replaceAll(/[/.]/g, '-')}-${index + 1}.ts`);
    writeFileSync(file, `${code}\nexport {};\n`);
    programs.push({ file, runs, name: `${readme} #${index + 1}` });
  });
}
const tsconfig = join(scratch, 'tsconfig.json');
writeFileSync(
  tsconfig,
  JSON.stringify({
    extends: '../../../tsconfig.base.json',
    compilerOptions: {
      customConditions: [],
      noEmit: false,
      outDir: 'out',
      rootDir: '.',
      noUnusedLocals: false,
    },
    include: ['*.ts'],
  }),
);
const types = await run([join(root, 'node_modules', '.bin', 'tsc'), '-p', tsconfig]);
if (types !== 0) process.exitCode = 1;
writeFileSync(join(scratch, 'package.json'), '{"type":"module"}');
for (const { file, runs, name } of types === 0 ? programs : []) {
  if (!runs) continue;
  const compiled = join(scratch, 'out', file.split(/[\\/]/).at(-1).replace(/\.ts$/, '.js'));
  const code = await run(['node', compiled], { quiet: true });
  console.log(`${code === 0 ? 'ran' : 'FAILED'}  ${name}`);
  if (code !== 0) process.exitCode = 1;
}
if (!process.exitCode) rmSync(scratch, { recursive: true });
