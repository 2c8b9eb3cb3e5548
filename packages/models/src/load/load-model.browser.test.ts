import { startBackend } from '@mmllm/backends';
import { openModelFolder } from '@mmllm/checkpoints';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { openParityCase } from '../../../cli/src/parity';
import { densePictures } from '../../../cli/src/parity/families/pictures';
import { fixtureFiles } from '../../../cli/src/testing/case-files';
import { loadModel } from '../index';

it('loads a model in a page, and gives the logits of its case', async () => {
  await startBackend({ backend: 'wasm' });
  const files = fixtureFiles('llava/base');
  const model = await loadModel(await openModelFolder(files, { folder: 'model' }));
  const golden = await openParityCase(files);
  const images = densePictures(await golden.floats('in.pixel_values'));
  const ids = await golden.ids('in.input_ids');
  const imagesPerSample = new Array<number>(ids.shape[0]).fill(images.images.length / ids.shape[0]);
  const logits = model.forward({ ids, imageTokenId: model.imageTokenId, imagesPerSample, images });
  const [values, expected] = [await logits.data<'float32'>(), await golden.floats('out.logits')];
  const furthest = values.reduce((most, value, i) => Math.max(most, Math.abs(value - expected.data[i]!)), 0);
  expect(furthest).toBeLessThan(1e-4);
  tf.dispose([logits, images.pixels]);
  model.dispose();
  await golden.close();
});
