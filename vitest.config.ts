import { playwright } from '@vitest/browser-playwright';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { findChromium, findVulkan } from './tools/lib.mjs';

const conditions = ['@mmllm/source', 'module', 'browser', 'development|production'];
/** `all`: every system is held against its case on every backend. */
const parity = process.env.MMLLM_PARITY ?? '';
const timeouts = { testTimeout: 60_000, hookTimeout: 60_000 };

/** Every test but those that need a browser. Tests of `*.backends.test.ts` run on cpu, wasm and, with a driver, webgpu. */
function nodeProject(vulkan: Record<string, string> | undefined): TestProjectConfiguration {
  return {
    resolve: { conditions },
    ssr: { resolve: { conditions: ['@mmllm/source', 'module', 'node', 'development|production'] } },
    test: {
      name: 'node',
      include: ['{packages,apps}/*/src/**/*.test.ts', '{benchmarks/src,tools}/**/*.test.ts'],
      exclude: ['**/*.browser.test.ts'],
      provide: { parity, backends: vulkan ? ['cpu', 'wasm', 'webgpu'] : ['cpu', 'wasm'] },
      env: vulkan,
      pool: 'forks',
      maxWorkers: 2,
      ...timeouts,
    },
  };
}

/** `*.backends.test.ts` and `*.browser.test.ts` in Chromium, on software adapters: the same results with any GPU. */
function browserProject(executablePath: string): TestProjectConfiguration {
  const args = [
    '--no-sandbox',
    '--enable-unsafe-webgpu',
    '--use-webgpu-adapter=swiftshader',
    '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader',
  ];
  return {
    resolve: { conditions },
    // Threaded wasm needs shared memory, which a page gets only with these.
    server: {
      headers: {
        'Cross-Origin-Opener-Policy': 'same-origin',
        'Cross-Origin-Embedder-Policy': 'require-corp',
      },
    },
    // Found before the first test: a dependency that turns up later reloads the page under the running tests.
    optimizeDeps: { force: true, entries: ['packages/*/src/**/*.{backends,browser}.test.ts'] },
    test: {
      name: 'browser',
      include: ['packages/*/src/**/*.{backends,browser}.test.ts'],
      provide: { parity, backends: ['webgl', 'webgpu', 'wasm'] },
      // After the Node tests, not beside them.
      sequence: { groupOrder: 1 },
      browser: {
        enabled: true,
        headless: true,
        screenshotFailures: false,
        provider: playwright({ launchOptions: { executablePath, args } }),
        instances: [{ browser: 'chromium' }],
      },
      ...timeouts,
    },
  };
}

const chromium = findChromium();

export default defineConfig({
  test: { projects: [nodeProject(findVulkan()), ...(chromium ? [browserProject(chromium)] : [])] },
});
