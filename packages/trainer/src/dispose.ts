import type { Module } from '@mmllm/core';

/**
 * Frees the parameters of `module` that are not `kept`'s as well: towers that share their image tower with a model,
 * say, when the model lives on.
 */
export function disposeExcept(module: Module, kept: Module): void {
  const shared = new Set([...kept.namedParameters()].map(([, parameter]) => parameter));
  for (const [, parameter] of module.namedParameters()) if (!shared.has(parameter)) parameter.dispose();
}
