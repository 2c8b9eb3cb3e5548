import { type JsonObject, loadWeights, type NameMap } from '@mmllm/checkpoints';
import type { ImageTokens, Projector, ProjectorFactory, TokenGrid } from '@mmllm/core';
import { cAbstractor, perceiverResampler } from '@mmllm/projectors';
import * as tf from '@tensorflow/tfjs-core';
import type { Comparison } from '../comparison';
import type { ParityFamily } from '.';
import { giveHeld } from './gradients';

/** A projector that stands alone in its file. */
interface Alone {
  build(json: JsonObject): { factory: ProjectorFactory; names: NameMap };
  /** The pictures that features of this shape are of. */
  images(shape: readonly number[]): ImageTokens[];
}

/** The projected features, `sum(features · cotangent)` as the loss, and every gradient, that of the features too. */
const projectorAlone =
  ({ build, images }: Alone): ParityFamily =>
  async (golden, comparison) => {
    const { factory, names } = build(await golden.config());
    const [input, output] = [await golden.floats('in.features'), golden.shape('out.features')];
    const sizes = { inputSize: input.shape.at(-1) ?? 0, outputSize: output.at(-1) ?? 0 };
    const [projector, holder] = [factory.build(sizes), factory.build(sizes)];
    await loadWeights(comparison.own(projector), await golden.weights(), names);
    const rows = tf.tensor2d(input.data, [input.data.length / sizes.inputSize, sizes.inputSize]);
    const features = comparison.own(tf.variable<tf.Rank.R2>(rows));
    rows.dispose();
    const project = () =>
      tf.reshape(projector.project({ features, images: images(input.shape) }).features, [...output]);
    await comparison.give('out.features', tf.tidy(project));
    const cotangent = comparison.own(tf.tensor((await golden.floats('in.cotangent')).data, [...output]));
    const grads = await giveLoss(projector, features, () => tf.sum(tf.mul(project(), cotangent)), comparison);
    await comparison.give(
      'grad.in.features',
      tf.tidy(() => tf.reshape(grads[features.name], [...input.shape])),
    );
    for (const [path, { value }] of projector.namedParameters()) {
      holder.parameter(path).assign(grads[value.name]);
    }
    tf.dispose(grads);
    await giveHeld({ holder, names, nameOf: (key) => `grad.${key}` }, comparison);
  };

/** Compares the loss, and gives the gradients of the parameters and the features. */
async function giveLoss(
  projector: Projector,
  features: tf.Variable,
  loss: () => tf.Scalar,
  comparison: Comparison,
): Promise<tf.NamedTensorMap> {
  const parameters = [...projector.namedParameters()].map(([, parameter]) => parameter.value);
  const { value, grads } = tf.variableGrads(() => tf.tidy(loss), [...parameters, features]);
  await comparison.give('out.loss', value);
  return grads;
}

function sameViews(numPictures: number, viewsOfEach: number, grid: TokenGrid): ImageTokens[] {
  const count = grid.frames * grid.rows * grid.columns;
  return Array.from({ length: numPictures }, (_, i) => ({
    views: Array.from({ length: viewsOfEach }, (_, view) => {
      const start = (i * viewsOfEach + view) * count;
      return { role: 'image', start, count, prefix: 0, grid } as const;
    }),
  }));
}

export const projectorFamilies = {
  // [pictures, tokens, D], the tokens a square.
  'c-abstractor': projectorAlone({
    build(json) {
      const config = cAbstractor.checkpoint.config(json);
      return { factory: cAbstractor(config), names: cAbstractor.checkpoint.names(config, '') };
    },
    images([count = 0, tokens = 0]) {
      const side = Math.sqrt(tokens);
      return sameViews(count, 1, { frames: 1, rows: side, columns: side });
    },
  }),
  // [samples, media, frames, tokens, D]: a sample is a picture of several views.
  'perceiver-resampler': projectorAlone({
    build(json) {
      const config = perceiverResampler.checkpoint.config(json);
      return { factory: perceiverResampler(config), names: perceiverResampler.checkpoint.names(config, '') };
    },
    images: ([samples = 0, media = 0, frames = 0, tokens = 0]) =>
      sameViews(samples, media, { frames, rows: 1, columns: tokens }),
  }),
};
