import { CheckpointError } from '@mmllm/core';

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error && 'code' in error;

/** The system's error code, `ENOENT` for instance; undefined for other errors. */
export const systemCode = (error: unknown): string | undefined =>
  isSystemError(error) ? error.code : undefined;

/** Turns a failure of the file system into a typed error; others, such as an abort, pass as they are. */
export function wrapSystemError(error: unknown, component: string, expected: string): unknown {
  if (!isSystemError(error)) return error;
  return new CheckpointError({ component, expected, actual: error.message, cause: error });
}
