import { inspect } from 'node:util';
import { expect } from 'vitest';

/** No error may ever quote it. */
export const TOKEN = 'hf_very-secret';

/** What a call rejects with, after a look for the token in all that it shows. */
export async function failure<E extends Error>(call: Promise<unknown>): Promise<E> {
  const error = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(Error);
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(TOKEN);
  return error as E;
}
