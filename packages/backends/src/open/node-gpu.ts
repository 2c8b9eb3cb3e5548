interface NodeGpu {
  gpu: GPU;
  /** Takes `navigator.gpu` away again: with its last reference Dawn lets go of the process. */
  remove: () => void;
}

/**
 * Gives Node the `navigator.gpu` and the `GPU…` globals of a browser, from the optional npm package `webgpu` (Dawn).
 * An application that has done so itself keeps its own.
 */
export async function installNodeGpu(): Promise<NodeGpu> {
  if (globalThis.navigator?.gpu) return { gpu: globalThis.navigator.gpu, remove: () => {} };
  const { create, globals } = await importDawn();
  for (const [name, value] of Object.entries(globals)) {
    // As in browsers, where these are not enumerable either.
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  const gpu = create([]);
  // Node 21 and later have a navigator, whose global cannot be assigned to but whose object can be extended.
  const [owner, name, value] = globalThis.navigator
    ? ([globalThis.navigator, 'gpu', gpu] as const)
    : ([globalThis, 'navigator', { gpu }] as const);
  Object.defineProperty(owner, name, { value, configurable: true, writable: true });
  return { gpu, remove: () => Reflect.deleteProperty(owner, name) };
}

/**
 * False where no GPU can be: asking Dawn would take a moment and print warnings. Only Linux can be told so cheaply:
 * a driver there is a device file, or is named by a variable that the Vulkan loader reads.
 */
export function mayHaveGpu(): boolean {
  if (process.platform !== 'linux') return true;
  if (process.env.VK_ICD_FILENAMES || process.env.VK_DRIVER_FILES) return true;
  // No import statement: bundlers for browsers stumble over `node:` even where it is never run.
  const { existsSync } = process.getBuiltinModule('node:fs');
  return ['/dev/dri', '/dev/nvidiactl', '/dev/dxg', '/dev/kgsl-3d0', '/dev/mali0'].some((path) =>
    existsSync(path),
  );
}

interface Dawn {
  create(options: string[]): GPU;
  globals: object;
}

async function importDawn(): Promise<Dawn> {
  // The name is hidden from bundlers, which would fail where the optional package is not installed.
  const name = 'webgpu';
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as Dawn;
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND';
    if (missing) throw new Error('the optional package webgpu is not installed', { cause });
    throw new Error(`the package webgpu does not load: ${cause}`, { cause });
  }
}
