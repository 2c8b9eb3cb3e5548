import { TemplateError, type TemplateErrorKind } from '@mmllm/core';

/** @throws TemplateError, always. */
export function fail(kind: TemplateErrorKind, reason: string, cause?: unknown): never {
  throw new TemplateError({ kind, reason, cause });
}
