import { TemplateError, type TemplateErrorKind } from '@mmllm/core';

/** @throws TemplateError, always. */
export function fail(kind: TemplateErrorKind, reason: string, cause?: unknown): never {
  throw new TemplateError({
    component: 'chat template',
    expected: kind === 'syntax' ? 'a Jinja template' : 'a conversation that the template can render',
    actual: `${kind}: ${reason}`,
    kind,
    reason,
    cause,
  });
}
