import { ConfigError } from '@mmllm/core';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** Bytes from `16GB`, `512 MiB` or a plain number. @throws ConfigError */
export function parseBytes(component: string, text: string): number {
  const [, digits, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  const factor = unit === undefined ? undefined : UNITS[unit.toUpperCase()];
  if (digits !== undefined && factor !== undefined) return Math.floor(Number(digits) * factor);
  throw new ConfigError({
    component,
    expected: 'a size such as 16GB, 512MiB or a number of bytes',
    actual: `'${text.slice(0, 40)}'`,
  });
}

/** Bytes as people read them, in powers of 1000. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, ['B', 'kB', 'MB', 'GB', 'TB']);
}

export function formatFlops(flops: number): string {
  return scaled(flops, ['FLOP', 'kFLOP', 'MFLOP', 'GFLOP', 'TFLOP', 'PFLOP', 'EFLOP']);
}

function scaled(value: number, units: readonly string[]): string {
  const power = Math.min(units.length - 1, value < 1 ? 0 : Math.floor(Math.log10(value) / 3));
  const number = value / 1000 ** power;
  return `${power === 0 ? number : number.toFixed(2)} ${units[power]}`;
}
