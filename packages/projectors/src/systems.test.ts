import { startBackend } from '@mmllm/backends';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { changedTensors, fixtureFiles, nudge } from '../../cli/src/testing/case-files';
import { wrongGradients } from '../../vision-encoders/src/testing/parameter-gradients';
import { keysOf, savedOtherwise } from '../../vision-encoders/src/testing/saved';
import { isKeyBias, unnoticed } from '../../vision-encoders/src/testing/zeroing';
import { LoadedSystem, systems } from './testing/systems';

const names = Object.keys(systems);

/** Of all keys of a file, those of its projector. */
const ofProjector = /multi_modal_projector|mlp1|merger|image_pooling|image_projector/;

beforeAll(() => startBackend({ backend: 'wasm' }));

describe.each(names)('the projector of %s', (name) => {
  it('says before what comes out', async () => {
    const system = await LoadedSystem.load(name);
    const { projector, encoded } = system;
    const { features, images } = projector.project(encoded);
    expect(images).toEqual(projector.layout(encoded.images));
    const views = images.flatMap((image) => image.views);
    expect(views.reduce((sum, { count }) => sum + count, 0)).toBe(features.shape[0]);
    features.dispose();
    await system.dispose();
  });

  it('would show any parameter that is left out', async () => {
    const system = await LoadedSystem.load(name);
    expect(await system.difference()).toBeUndefined();
    const shows = async () => (await system.difference()) !== undefined;
    const unseen = await unnoticed(system.projector, shows);
    expect(unseen.filter((path) => !isKeyBias(path))).toEqual([]);
    await system.dispose();
  });

  it('differs if one value of the file is another', async () => {
    const system = await LoadedSystem.load(name);
    const key = keysOf(system.projector, system.names)[0];
    await system.dispose();
    const files = changedTensors(fixtureFiles(name), 'model/model.safetensors', (tensors) =>
      nudge(tensors, key!, 0.3),
    );
    const changed = await LoadedSystem.load(name, files);
    expect(await changed.difference()).toContain('beyond tolerance');
    await changed.dispose();
  });

  it('is saved as the very file', async () => {
    const system = await LoadedSystem.load(name);
    const { projector, names: map, weights } = system;
    expect(await savedOtherwise(projector, map, weights, (key) => ofProjector.test(key))).toEqual([]);
    await system.dispose();
  });

  it('has the right gradient for every parameter', async () => {
    await startBackend({ backend: 'cpu' });
    const system = await LoadedSystem.load(name);
    const { projector, encoded } = system;
    const { shape } = tf.tidy(() => projector.project(encoded).features);
    const weights = tf.randomNormal(shape, 0, 1, 'float32', 6);
    const loss = () =>
      tf.tidy(() => tf.sum(tf.mul(projector.project(encoded).features, weights)) as tf.Scalar);
    expect(await wrongGradients(projector, loss, { skip: isKeyBias, tolerance: 1e-2 })).toEqual([]);
    weights.dispose();
    await system.dispose();
    await startBackend({ backend: 'wasm' });
  });
});
