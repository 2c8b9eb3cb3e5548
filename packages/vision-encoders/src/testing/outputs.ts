import { compareTensors } from '@mmllm/conformance';
import type * as tf from '@tensorflow/tfjs-core';
import type { GoldenCase } from './golden';

type Outputs = Readonly<Record<string, tf.Tensor>>;

/** States by the names that a case has for them. */
export const hiddenOutputs = (states: readonly tf.Tensor[], name = 'out.hidden'): Outputs =>
  Object.fromEntries(states.map((state, depth) => [`${name}.${depth}`, state]));

/** The outputs that differ from those of a case, by messages. */
export async function wrongOutputs(golden: GoldenCase, outputs: Outputs): Promise<string[]> {
  const wrong: string[] = [];
  for (const [name, tensor] of Object.entries(outputs)) {
    const { ok, message } = await compareTensors(tensor, golden.tensor(name), { ...golden, name });
    if (!ok) wrong.push(message);
  }
  return wrong;
}
