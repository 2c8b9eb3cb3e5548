import { type ModelInputs, type MultimodalModel, rowsOf } from '@mmllm/core';
import { crossEntropy } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { paddedIds, randomPictures, type ViewText } from './fakes';

/** Logits and the gradient of every parameter, read back. */
export type StepResult = Map<string, { shape: readonly number[]; data: Float32Array }>;

const IMAGE = 11;

/** Text around one picture a sample, with as many image tokens as the model's fusion asks for. */
function inputsFor(model: MultimodalModel, pictures: readonly (readonly ViewText[])[]): ModelInputs {
  const images = randomPictures(pictures);
  const rows = model.imageTokens(images.images).map((tokens, sample) => {
    const pieces = model.fusion?.placeholders(tokens) ?? [];
    const count = pieces.reduce((sum, piece) => sum + (piece.kind === 'features' ? piece.count : 1), 0);
    return [sample + 1, ...new Array(count).fill(IMAGE), sample + 2, rowsOf(tokens).count % 10];
  });
  return {
    ...paddedIds(rows, 'right'),
    imageTokenId: IMAGE,
    imagesPerSample: pictures.map(() => 1),
    images,
  };
}

/** One forward and backward pass of a small model on the current backend, one picture a sample. */
export async function trainingStep(
  compose: () => Promise<MultimodalModel>,
  pictures: readonly (readonly ViewText[])[],
): Promise<StepResult> {
  const model = await compose();
  const inputs = inputsFor(model, pictures);
  const [batch, length] = inputs.ids.shape;
  const targets = Int32Array.from({ length: batch * length }, (_, i) => (i % 3 === 0 ? -100 : i % 10));
  const parameters = [...model.namedParameters()];
  let logits: tf.Tensor | undefined;
  const { value, grads } = tf.variableGrads(
    () => {
      logits = tf.keep(model.forward(inputs));
      return crossEntropy(tf.reshape(logits, [batch * length, -1]) as tf.Tensor2D, targets);
    },
    parameters.map(([, { value }]) => value),
  );
  const named: [string, tf.Tensor][] = parameters.map(([path, parameter]) => [
    path,
    grads[parameter.value.name],
  ]);
  const result: StepResult = new Map();
  for (const [name, tensor] of [['logits', logits!] as const, ...named]) {
    result.set(name, { shape: tensor.shape, data: (await tensor.data<'float32'>()).slice() });
  }
  tf.dispose([value, logits!]);
  tf.dispose(grads);
  if (inputs.images?.kind === 'dense') inputs.images.pixels.dispose();
  model.dispose();
  return result;
}
