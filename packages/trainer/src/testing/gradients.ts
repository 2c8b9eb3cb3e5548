import type { MultimodalModel, Sample } from '@mmllm/core';
import type * as tf from '@tensorflow/tfjs-core';
import { FeatureCache, languageModelling, type StageContext } from '..';
import { lossAndGradients } from '../backward';

/** Loss and gradients of one batch by path, on the host; tensors are freed. Parameters that `trains` leaves out are frozen. */
export async function stepOf(
  model: MultimodalModel,
  samples: readonly Sample[],
  { trains = () => true, ...context }: { trains?: (path: string) => boolean } & Partial<StageContext> = {},
): Promise<{ loss: number; gradients: Record<string, Float32Array | undefined> }> {
  const trained = [...model.namedParameters()].filter(([path, { held }]) => !held && trains(path));
  const parameters = new Set(trained.map(([, parameter]) => parameter));
  const batch = await languageModelling(model).prepare(samples, {
    isFrozen: (module) => [...module.namedParameters()].every(([, parameter]) => !parameters.has(parameter)),
    features: new FeatureCache(0),
    ...context,
  });
  try {
    const { value, gradients } = lossAndGradients(
      () => batch.loss(),
      trained.map(([, parameter]) => parameter.value),
    );
    const loss = (await value.data())[0];
    value.dispose();
    const read = async (gradient: tf.Tensor | undefined) => {
      const values = await gradient?.data<'float32'>();
      gradient?.dispose();
      return values?.slice();
    };
    const entries = trained.map(async ([path], i) => [path, await read(gradients[i])] as const);
    return { loss, gradients: Object.fromEntries(await Promise.all(entries)) };
  } finally {
    batch.dispose();
  }
}
