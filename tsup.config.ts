import { readFileSync } from 'node:fs';
import { defineConfig } from 'tsup';

/** One configuration for every package: its entries are the sources named in its own `exports`. */
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Record<string, string | { '@mmllm/source': string; import: string }>;
};
const entry: Record<string, string> = {};
for (const target of Object.values(manifest.exports)) {
  if (typeof target === 'string') continue;
  const name = target.import.replace(/^\.\/dist\//, '').replace(/\.js$/, '');
  entry[name] = target['@mmllm/source'];
}

export default defineConfig({
  entry,
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  dts: true,
  clean: true,
  splitting: true,
  sourcemap: true,
  treeshake: true,
  silent: true,
  tsconfig: '../../tsconfig.build.json',
});
