/** What the repository scripts share: running commands and finding things. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** pnpm at the pinned version, without being installed. */
export const pnpm = () => [
  'npx',
  '--yes',
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager,
];

/**
 * Runs a command in the root and resolves to its exit code.
 * @param {string[]} command
 * @param {{ env?: Record<string, string>, quiet?: boolean }} [options] quiet shows the output only if it fails
 */
export function run([program, ...args], { env = {}, quiet = false } = {}) {
  return new Promise((resolve) => {
    const windows = process.platform === 'win32';
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      shell: windows,
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    });
    const output = [];
    child.stdout?.on('data', (chunk) => output.push(chunk));
    child.stderr?.on('data', (chunk) => output.push(chunk));
    child.on('error', (error) => {
      console.error(`${program}: ${error.message}`);
      resolve(1);
    });
    child.on('close', (code) => {
      if (quiet && code !== 0) process.stderr.write(Buffer.concat(output));
      resolve(code ?? 1);
    });
  });
}

/**
 * A Chromium to test with: the one that MMLLM_CHROMIUM names, or the first in a usual place.
 * @returns {string | undefined}
 */
export function findChromium() {
  const named = process.env.MMLLM_CHROMIUM;
  if (named && !existsSync(named)) throw new Error(`MMLLM_CHROMIUM names ${named}, which does not exist`);
  const usual = [
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  ];
  return named || usual.find((path) => existsSync(path));
}

/**
 * What a process must find in its environment to have a Vulkan driver, and so WebGPU in Node: nothing where
 * VK_ICD_FILENAMES is set already, else the loader and the software driver of Debian's `chromium` package.
 * @returns {Record<string, string> | undefined}
 */
export function findVulkan() {
  if (process.env.VK_ICD_FILENAMES) return {};
  const folder = '/usr/lib/chromium';
  const driver = `${folder}/vk_swiftshader_icd.json`;
  if (!existsSync(driver)) return undefined;
  const libraries = [process.env.LD_LIBRARY_PATH, folder].filter(Boolean).join(':');
  return { VK_ICD_FILENAMES: driver, LD_LIBRARY_PATH: libraries };
}
