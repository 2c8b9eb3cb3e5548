import type { z } from 'zod';
import { ConfigError } from './errors';

/**
 * Checks a configuration against its schema and fills defaults.
 * @throws ConfigError naming the component, the key, what was expected and what came.
 */
export function parseConfig<S extends z.ZodType>(
  component: string,
  schema: S,
  value: z.input<S>,
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const key = issue.path.join('.');
  const at = issue.path.reduce<unknown>(
    (node, part) => (node as Record<PropertyKey, unknown> | undefined)?.[part as PropertyKey],
    value,
  );
  const unknown = issue.code === 'unrecognized_keys';
  const actual = unknown ? cut(`unknown key ${issue.keys.join(', ')}`) : show(at);
  throw new ConfigError({
    component: key ? `${component}.${key}` : component,
    expected: unknown ? 'known keys' : issue.message,
    actual,
  });
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  try {
    return cut(JSON.stringify(value) ?? String(value));
  } catch {
    // Nested too deep, or a bigint.
    return typeof value === 'object' ? 'a nested value' : String(value);
  }
}

/** Files decide the length of what they hold. */
const cut = (text: string): string => text.slice(0, 80);
