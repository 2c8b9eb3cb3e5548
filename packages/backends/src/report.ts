import type { BackendName } from './names';

/** A backend that was tried, or passed over, before the one that runs. */
export interface RejectedBackend {
  backend: BackendName;
  reason: string;
}

/** A kernel of this package that a backend needed. */
export interface RegisteredKernel {
  /** The name of the kernel, tfjs's own or the op layer's. */
  kernelName: string;
  /** What is missing, wrong or slow without it. */
  reason: string;
}

/** What `startBackend` decided. */
export interface BackendReport {
  /** The backend that tfjs now uses. */
  backend: BackendName;
  /** Why this one. */
  reason: string;
  /** The faster ones that were left out, and why. Empty where a backend was asked for by name. */
  rejected: readonly RejectedBackend[];
  /** What it runs on, where that can be named: a GPU, or `SIMD, 1 thread`. */
  device?: string;
  /** The kernels that were added to tfjs's own, or put in their place. */
  kernels: readonly RegisteredKernel[];
}

/** One line: what runs, and why. */
export function describeBackend({ backend, device, reason, rejected }: BackendReport): string {
  const name = device ? `${backend} (${device})` : backend;
  const left = rejected.map((other) => `${other.backend}: ${other.reason}`).join('; ');
  return `${name}: ${reason}${left && `; left out ${left}`}`;
}
