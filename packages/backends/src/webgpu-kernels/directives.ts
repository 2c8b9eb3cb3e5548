const DIRECTIVE = /^[ \t]*enable [^;]*;/gm;

const prepared = new WeakSet<GPUDevice>();

/**
 * Lets programs use language extensions. WGSL wants `enable f16;` before all else, and tfjs puts a text of its own
 * before a program's; so such lines are moved to the top on their way to the device. Doing it again changes nothing.
 */
export function allowDirectives(device: GPUDevice): void {
  if (prepared.has(device)) return;
  prepared.add(device);
  const create = device.createShaderModule.bind(device);
  device.createShaderModule = (descriptor) => create({ ...descriptor, code: hoisted(descriptor.code) });
}

/** The text with its `enable` lines first. */
export function hoisted(code: string): string {
  const directives = code.match(DIRECTIVE);
  return directives ? `${directives.join('\n')}\n${code.replace(DIRECTIVE, '')}` : code;
}
