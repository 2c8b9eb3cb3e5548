import type { JsonObject } from '@mmllm/checkpoints';
import type { ImageBatch, ModelInputs } from '@mmllm/core';
import type { ParityCase } from '../case';
import type { ParityFamilies } from '.';
import {
  anyResPictures,
  ariaPictures,
  densePictures,
  fuyuPictures,
  pixtralPictures,
  qwenPictures,
} from './pictures';
import { wholeModel } from './whole';

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

/** The cases of whole models. */
export const systemFamilies: ParityFamilies = {
  llava: wholeModel({ pictures: views }),
  'llava-next': wholeModel({ pictures: anyResPictures }),
  paligemma: wholeModel({ pictures: views, more: paligemmaPrefix, prompt: prefixAlone }),
  fuyu: wholeModel({ pictures: fuyuPictures }),
  'qwen2-vl': wholeModel({ pictures: qwenPictures }),
  pixtral: wholeModel({ pictures: pixtralPictures }),
  internvl: wholeModel({ pictures: views }),
  aria: wholeModel({ pictures: ariaPictures }),
  'mm1.5': wholeModel({ pictures: views, features: 'all', ofLargest: true }),
  'baichuan-omni': wholeModel({ pictures: views, features: 'all' }),
};
