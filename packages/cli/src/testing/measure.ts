import * as tf from '@tensorflow/tfjs-core';
import { vi } from 'vitest';

/** What the current backend really holds. */
export interface Measured {
  /** The most bytes of data at a time, each once, beyond those from before. */
  readonly bytes: number;
  /** The most that `tf.memory().numBytes` said, beyond what it said before. */
  readonly numBytes: number;
}

/** Follows every tensor that tfjs makes and frees. `since` starts the peaks anew. */
export async function measurePeaks<T>(
  run: (watch: { reset(): void; now(): number }) => Promise<T>,
): Promise<Measured & { readonly result: T }> {
  const engine = tf.engine();
  const { state } = engine;
  const track = engine.trackTensor.bind(engine);
  const remove = engine.removeDataId.bind(engine);
  const before = state.numBytes;
  let bytes = 0;
  let peak = { bytes: 0, numBytes: 0 };
  const look = () => {
    peak = {
      bytes: Math.max(peak.bytes, bytes),
      numBytes: Math.max(peak.numBytes, state.numBytes - before),
    };
  };
  const made = vi.spyOn(engine, 'trackTensor').mockImplementation((tensor, backend) => {
    if (!state.tensorInfo.has(tensor.dataId)) {
      bytes += tensor.size * tf.util.bytesPerElement(tensor.dtype);
    }
    track(tensor, backend);
    look();
  });
  const freed = vi.spyOn(engine, 'removeDataId').mockImplementation((dataId, backend) => {
    bytes -= state.tensorInfo.get(dataId)?.bytes ?? 0;
    remove(dataId, backend);
  });
  try {
    const reset = () => {
      peak = { bytes: 0, numBytes: 0 };
      look();
    };
    const result = await run({ reset, now: () => bytes });
    return { ...peak, result };
  } finally {
    made.mockRestore();
    freed.mockRestore();
  }
}
