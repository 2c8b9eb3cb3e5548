import { startBackend } from '@mmllm/backends';
import { type JsonObject, loadWeights } from '@mmllm/checkpoints';
import { composeModel, type ImageBatch, type ModelInputs, type VisionLanguageParts } from '@mmllm/core';
import { gemma } from '@mmllm/decoders/gemma';
import { llama } from '@mmllm/decoders/llama';
import { mistral } from '@mmllm/decoders/mistral';
import { persimmon } from '@mmllm/decoders/persimmon';
import { qwen2 } from '@mmllm/decoders/qwen2';
import { crossAttention, hybrid } from '@mmllm/fusion-cross-attn';
import { rowEnds, unified } from '@mmllm/fusion-unified';
import { linear, mlp, pixelShuffleMlp } from '@mmllm/projectors';
import { clip } from '@mmllm/vision-encoders/clip';
import { fuyu } from '@mmllm/vision-encoders/fuyu';
import { internVit } from '@mmllm/vision-encoders/intern-vit';
import { mllama } from '@mmllm/vision-encoders/mllama';
import { pixtral } from '@mmllm/vision-encoders/pixtral';
import { siglip } from '@mmllm/vision-encoders/siglip';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { openParityCase, type ParityCase } from '../../cli/src/parity';
import { nvlmPictures } from '../../cli/src/parity/families/nvlm';
import {
  densePictures,
  fuyuPictures,
  mllamaPictures,
  pixtralPictures,
} from '../../cli/src/parity/families/pictures';
import { imagesPerSample, imageTokensOf } from '../../cli/src/parity/families/whole';
import { fixtureFiles } from '../../cli/src/testing/case-files';
import { composeSystem, systemOf } from './index';

beforeAll(() => startBackend({ backend: 'wasm' }));
afterEach(() => tf.disposeVariables());

interface Composition {
  /** The parts, from the single packages alone. */
  parts(json: JsonObject): VisionLanguageParts;
  pictures(golden: ParityCase, json: JsonObject): Promise<ImageBatch>;
  /** What the case says beside its `config.json`. */
  readonly more?: JsonObject;
}

const views = async (golden: ParityCase) => densePictures(await golden.floats('in.pixel_values'));
const text = (json: JsonObject) => json.text_config as JsonObject;

const compositions: Record<string, Composition> = {
  llava: {
    parts: (json) => ({
      encoder: clip(clip.checkpoint.config(json)),
      projector: mlp({ numLayers: 2 }),
      fusion: unified(),
      decoder: llama(llama.checkpoint.config(text(json))),
    }),
    pictures: views,
  },
  pixtral: {
    parts: (json) => ({
      encoder: pixtral(pixtral.checkpoint.config(json)),
      projector: mlp({ numLayers: 2 }),
      fusion: unified({ arrangement: rowEnds({ row: '[IMG_BREAK]', last: '[IMG_END]' }) }),
      decoder: mistral(mistral.checkpoint.config(text(json))),
    }),
    pictures: pixtralPictures,
  },
  paligemma: {
    parts: (json) => ({
      encoder: siglip(siglip.checkpoint.config(json)),
      projector: linear(),
      fusion: unified({ firstPosition: 1 }),
      decoder: gemma(gemma.checkpoint.config({ ...text(json), use_bidirectional_attention: null })),
    }),
    pictures: views,
  },
  fuyu: {
    parts: (json) => ({
      encoder: fuyu({ patchSize: json.patch_size as number }),
      projector: linear(),
      fusion: unified({ arrangement: rowEnds({ row: '|NEWLINE|' }) }),
      decoder: persimmon(persimmon.checkpoint.config(text(json))),
    }),
    pictures: fuyuPictures,
  },
  mllama: {
    parts: (json) => ({
      encoder: mllama(mllama.checkpoint.config(json)),
      projector: linear(),
      fusion: crossAttention({
        // Layers 1 and 4 of six, before the second and the fourth of the decoder's own.
        ...{ layers: [1, 3], numHeads: 4, numKeyValueHeads: 2, intermediateSize: 96 },
        ...{ rmsNormEps: text(json).rms_norm_eps as number, sees: 'latest', blind: 'attend' },
      }),
      decoder: llama({
        ...llama.checkpoint.config({ ...text(json), model_type: 'llama' }),
        ...{ numLayers: 4, numExtraEmbeddings: 8 },
      }),
    }),
    pictures: mllamaPictures,
  },
  'nvlm-h': {
    parts: (json) => ({
      encoder: internVit(internVit.checkpoint.config(json)),
      projector: pixelShuffleMlp({ hiddenSize: 96, layerNormEps: 1e-6, bias: false }),
      fusion: hybrid({
        ...{ layers: [1, 3], numHeads: 4, numKeyValueHeads: 2, intermediateSize: 96, rmsNormEps: 1e-6 },
        ...{ headNorm: false, sees: 'latest', single: 'sequence', opening: [9] },
      }),
      decoder: qwen2(qwen2.checkpoint.config(text(json))),
    }),
    pictures: nvlmPictures,
    more: { image_start_ids: [9] },
  },
};

it.each(Object.entries(compositions))(
  '%s composed by hand from single packages gives the same bits',
  async (kind, composition) => {
    const golden = await openParityCase(fixtureFiles(`${kind}/base`));
    const json = { ...(await golden.config()), ...composition.more };
    const { model, names, imageTokenId } = await composeSystem(systemOf(json), json);
    await loadWeights(model, await golden.weights(), names);
    const other = await composeModel(composition.parts(json));
    for (const [path, parameter] of model.namedParameters())
      other.parameter(path).assign(await parameter.read());
    expect(other.countParameters()).toBe(model.countParameters());
    const images = await composition.pictures(golden, json);
    const ids = await golden.ids('in.input_ids');
    const inputs: ModelInputs = {
      ...{ ids: { ...ids, data: ids.data.map((id) => Math.max(0, id)) }, imageTokenId, images },
      imagesPerSample: imagesPerSample(
        ids,
        imageTokenId,
        model.imageTokens(images.images).map((image) => imageTokensOf(model, image)),
      ),
    };
    const [ours, theirs] = [model.forward(inputs), other.forward(inputs)];
    expect(await ours.data()).toEqual(await theirs.data());
    await golden.close();
  },
);
