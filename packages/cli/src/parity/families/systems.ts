import type { JsonObject } from '@mmllm/checkpoints';
import type { ImageBatch, ModelInputs } from '@mmllm/core';
import type { VisionTransformer } from '@mmllm/vision-encoders/clip';
import * as tf from '@tensorflow/tfjs-core';
import type { ParityCase } from '../case';
import type { ParityFamilies } from '.';
import { emu3, janusParts } from './generator';
import { molmo } from './molmo';
import { nvlm } from './nvlm';
import {
  anyResPictures,
  ariaPictures,
  densePictures,
  fuyuPictures,
  mllamaPictures,
  pixtralPictures,
  qwenPictures,
} from './pictures';
import { compareTextAlone, reshaped, type Whole, wholeModel, withoutPadding } from './whole';

/** Each view is a picture of its own: the text of the case has whatever stands between them. */
const views = async (golden: ParityCase, _json: JsonObject): Promise<ImageBatch> =>
  densePictures(await golden.floats('in.pixel_values'));

/** Tokens of type 0 are the prefix, which PaliGemma sees both ways. */
async function paligemmaPrefix(golden: ParityCase): Promise<Partial<ModelInputs>> {
  const { data, shape } = await golden.ints('in.token_type_ids');
  const [batch, length] = shape as [number, number];
  const firstOf = (row: Int32Array) => (row.includes(1) ? row.indexOf(1) : length);
  return {
    prefix: Int32Array.from({ length: batch }, (_, b) =>
      firstOf(data.subarray(b * length, (b + 1) * length)),
    ),
  };
}

/** The prompt of PaliGemma's greedy tokens: all that is prefix. */
function prefixAlone({ ids, prefix = new Int32Array(), ...inputs }: ModelInputs): ModelInputs {
  const [batch, length] = ids.shape;
  const kept = prefix[0]!;
  const data = ids.data.filter((_, i) => i % length < kept);
  return { ...inputs, prefix, ids: { data, shape: [batch, kept] } };
}

/** What NVLM-D's case has of its tower, of what goes into the projector, and of the decoder's input. */
async function nvlmParts({ golden, comparison, model, inputs, images, fused }: Whole): Promise<void> {
  const tower = model.encoder as VisionTransformer;
  const states = tower.hiddenStates(images);
  await comparison.give('out.vision_last', tf.clone(states.at(-1)!));
  for (const [depth, state] of states.entries()) await comparison.give(`out.vision.${depth}`, state);
  const { features } = tower.encode(images);
  const [views, tokens] = golden.shape('out.shuffled') as [number, number, number];
  const side = Math.sqrt(tokens);
  const shuffled = tf.tidy(() => {
    const grid = tf.reshape(features, [views, side, 2, side, 2, features.shape[1]]);
    return tf.reshape(tf.transpose(grid, [0, 1, 3, 2, 4, 5]), [views, tokens, -1]);
  });
  features.dispose();
  await comparison.give('out.shuffled', shuffled);
  await comparison.give('out.embeddings', withoutPadding(tf.clone(fused.embeddings), inputs));
}

/** What the case of Llama 3.2 Vision has of its tower, and of a text without pictures. */
async function mllamaParts(whole: Whole): Promise<void> {
  const { golden, comparison, model, images } = whole;
  const vision = tf.tidy(() => reshaped(model.encoder!.encode(images).features, golden.shape('out.vision')));
  await comparison.give('out.vision', vision);
  await compareTextAlone(whole);
}

/** The cases of whole models. */
export const systemFamilies: ParityFamilies = {
  llava: wholeModel({ pictures: views }),
  'llava-next': wholeModel({ pictures: anyResPictures }),
  paligemma: wholeModel({ pictures: views, more: paligemmaPrefix, prompt: prefixAlone }),
  fuyu: wholeModel({ pictures: fuyuPictures }),
  'qwen2-vl': wholeModel({ pictures: qwenPictures }),
  pixtral: wholeModel({ pictures: pixtralPictures }),
  internvl: wholeModel({ pictures: views }),
  'nvlm-d': wholeModel({ pictures: views, also: nvlmParts }),
  'nvlm-x': nvlm,
  'nvlm-h': nvlm,
  mllama: wholeModel({ pictures: mllamaPictures, features: 'all', also: mllamaParts }),
  molmo,
  aria: wholeModel({ pictures: ariaPictures }),
  'mm1.5': wholeModel({ pictures: views, features: 'all', ofLargest: true }),
  'baichuan-omni': wholeModel({ pictures: views, features: 'all' }),
  janus: wholeModel({ pictures: views, also: janusParts }),
  emu3,
};
