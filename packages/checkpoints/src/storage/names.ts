import { CheckpointError } from '@mmllm/core';

/** Temporary files and folders begin like this; they are never listed and cannot be named. */
export const TEMPORARY_PREFIX = '.mmllm-tmp-';

/** Refused by Windows, or with a meaning in some shell or URL that surprises. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
const FORBIDDEN = /[\u0000-\u001f<>:"|?*\\]/;

/** Windows takes these for devices, with any extension. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

/**
 * The parts of a relative path.
 * @throws CheckpointError for absolute paths, `.` and `..`, empty parts, and names that Windows cannot hold.
 */
export function checkName(name: string): string[] {
  const parts = name.split('/');
  if (parts.every(isPart)) return parts;
  throw new CheckpointError({
    component: 'storage',
    expected: "a relative path of plain names, such as 'step-100/model.safetensors'",
    actual: JSON.stringify(name),
  });
}

/** No part is empty, `.` or `..`: Windows drops dots and spaces at the end of a name. */
const isPart = (part: string): boolean =>
  !FORBIDDEN.test(part) && !DEVICE.test(part) && !/^$|[. ]$/.test(part) && !part.startsWith(TEMPORARY_PREFIX);

/** The paths that lie below a folder, or all without one, sorted. */
export const pathsBelow = (paths: Iterable<string>, folder?: string): string[] =>
  [...paths].filter((path) => folder === undefined || path.startsWith(`${folder}/`)).sort();

export const folderExists = (folder: string): CheckpointError =>
  new CheckpointError({
    component: 'storage',
    expected: `no '${folder}' yet`,
    actual: 'one that exists',
    hint: 'A committed folder is never changed: remove it first, or take another name.',
  });

export const fileMissing = (name: string, cause?: unknown): CheckpointError =>
  new CheckpointError({ component: 'storage', expected: `a file '${name}'`, actual: 'none', cause });
