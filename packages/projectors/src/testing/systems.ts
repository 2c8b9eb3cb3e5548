import { composeMaps, loadWeights, type NameMap, type WeightSource } from '@mmllm/checkpoints';
import { compareTensors } from '@mmllm/conformance';
import {
  disposeImages,
  type ImageBatch,
  type ImageEncoder,
  type ImageFeatures,
  type Projector,
  type ProjectorFactory,
} from '@mmllm/core';
import { aria } from '@mmllm/vision-encoders/aria';
import { clip } from '@mmllm/vision-encoders/clip';
import { internVit } from '@mmllm/vision-encoders/intern-vit';
import { molmo } from '@mmllm/vision-encoders/molmo';
import { qwen2Vl } from '@mmllm/vision-encoders/qwen2-vl';
import { siglip } from '@mmllm/vision-encoders/siglip';
import * as tf from '@tensorflow/tfjs-core';
import { openParityCase, type ParityCase } from '../../../cli/src/parity';
import {
  ariaPictures,
  densePictures,
  molmoCrops,
  qwenPictures,
} from '../../../cli/src/parity/families/pictures';
import { fixtureFiles } from '../../../cli/src/testing/case-files';
import {
  attentionPooling,
  cAbstractor,
  mlp,
  type ProjectorCheckpoint,
  patchMerger,
  pixelShuffleMlp,
  pixelShuffleOriginalNames,
  pooledMlp,
  resampler,
} from '../index';

/** What a whole model says of encoder and projector. */
interface Parts {
  encoder: [encoder: ImageEncoder, names: NameMap];
  projector: [factory: ProjectorFactory, names: NameMap];
}

interface System {
  parts(json: unknown): Parts;
  /** The pictures of a case. The caller owns them. */
  pictures(golden: ParityCase, json: unknown): Promise<ImageBatch>;
}

/** How an encoder is read from a published file, and made. */
interface EncoderKind<C> {
  (config: C): ImageEncoder;
  readonly checkpoint: { config(json: unknown): C; names(config: C): NameMap };
}

interface ProjectorKind<C> {
  (config: C): ProjectorFactory;
  readonly checkpoint: ProjectorCheckpoint<C>;
}

const parts =
  <E, P>(
    encoder: EncoderKind<E>,
    projector: ProjectorKind<P>,
    names: (config: P) => NameMap = projector.checkpoint.names,
  ): System['parts'] =>
  (json) => {
    const [ours, theirs] = [encoder.checkpoint.config(json), projector.checkpoint.config(json)];
    return {
      encoder: [encoder(ours), encoder.checkpoint.names(ours)],
      projector: [projector(theirs), names(theirs)],
    };
  };

const pixelValues = async (golden: ParityCase) => densePictures(await golden.floats('in.pixel_values'));

/** The systems with a projector of their own, by their golden cases. */
export const systems: Record<string, System> = {
  'llava/base': { parts: parts(clip, mlp), pictures: pixelValues },
  'internvl/base': { parts: parts(internVit, pixelShuffleMlp), pictures: pixelValues },
  'nvlm-d/base': {
    parts: parts(internVit, pixelShuffleMlp, pixelShuffleOriginalNames),
    pictures: pixelValues,
  },
  'qwen2-vl/base': { parts: parts(qwen2Vl, patchMerger), pictures: qwenPictures },
  'molmo/base': { parts: parts(molmo, attentionPooling), pictures: molmoCrops },
  'aria/base': { parts: parts(aria, resampler), pictures: ariaPictures },
  'baichuan-omni/base': { parts: parts(siglip, pooledMlp), pictures: pixelValues },
  'baichuan-omni/mean-pool': { parts: parts(siglip, pooledMlp), pictures: pixelValues },
  'mm1.5/dense': { parts: parts(clip, cAbstractor), pictures: pixelValues },
};

/** Everything of a whole model that is neither here nor there. */
const others: NameMap = { rules: [], ignore: ['**'] };

/** A projector with its weights, and what its encoder gives for the pictures of the case. */
export class LoadedSystem {
  private constructor(
    readonly golden: ParityCase,
    readonly weights: WeightSource,
    readonly projector: Projector,
    readonly names: NameMap,
    readonly encoded: ImageFeatures,
  ) {}

  static async load(name: string, files = fixtureFiles(name)): Promise<LoadedSystem> {
    const golden = await openParityCase(files);
    const system = systems[name];
    const json = await golden.config();
    const made = system.parts(json);
    const [encoder, encoderNames] = made.encoder;
    const [factory, names] = made.projector;
    const outputSize = golden.shape('out.features').at(-1) ?? 0;
    const projector = factory.build({ inputSize: encoder.featureSize, outputSize });
    const weights = await golden.weights();
    await loadWeights(encoder, weights, composeMaps(encoderNames, others));
    await loadWeights(projector, weights, composeMaps(names, others));
    const batch = await system.pictures(golden, json);
    const encoded = encoder.encode(batch);
    disposeImages(batch);
    encoder.dispose();
    return new LoadedSystem(golden, weights, projector, names, encoded);
  }

  /** How the projected features, all of them, differ from those that the decoder gets in the case; nothing if they do not. */
  async difference(): Promise<string | undefined> {
    const expected = await this.golden.floats('out.features');
    const features = tf.tidy(() =>
      tf.reshape(this.projector.project(this.encoded).features, [...expected.shape]),
    );
    const { ok, message } = await compareTensors(features, expected, this.golden);
    features.dispose();
    return ok ? undefined : message;
  }

  async dispose(): Promise<void> {
    this.encoded.features.dispose();
    this.projector.dispose();
    await this.golden.close();
  }
}
