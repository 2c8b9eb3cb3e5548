import type { Module } from '@mmllm/core';

/**
 * Sets one parameter after another to zero and asks whether that shows; gives the paths of those that do not. All have
 * their values again afterwards.
 */
export async function unnoticed(module: Module, shows: () => Promise<boolean>): Promise<string[]> {
  const paths: string[] = [];
  for (const [path, parameter] of module.namedParameters()) {
    const values = await parameter.read();
    parameter.assign(new Float32Array(values.length));
    if (!(await shows())) paths.push(path);
    parameter.assign(values);
  }
  return paths;
}

/** Softmax does not see what is added to all scores of a query, which is all that the bias of keys does. */
export const isKeyBias = (path: string): boolean => path.endsWith('kProj.bias');
