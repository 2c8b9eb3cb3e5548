import { readdirSync, readFileSync } from 'node:fs';
import {
  type CheckpointStorage,
  type JsonObject,
  memoryStorage,
  saveModelFolder,
  saveWeights,
} from '@mmllm/checkpoints';
import { tokenizerFromJson } from '@mmllm/processors';
import { composeSystem, systemOf } from '../index';

const cases = new URL('../../../../fixtures/cases/', import.meta.url);
const fileOf = (path: string) => new URL(path, cases);
const jsonOf = (path: string): JsonObject => JSON.parse(readFileSync(fileOf(path), 'utf8'));

/** How the model of a family is to be changed, so that it fits its processor of the same case family. */
interface Fit {
  readonly imageToken: string;
  readonly vision?: JsonObject;
  readonly whole?: JsonObject;
  /** Its vocabulary is the whole model's. */
  readonly flat?: boolean;
}

const FITS: Readonly<Record<string, Fit>> = {
  llava: { imageToken: '<image>', vision: { image_size: 42, patch_size: 7 } },
  'llava-next': {
    imageToken: '<image>',
    vision: { image_size: 28, patch_size: 7 },
    whole: {
      image_grid_pinpoints: [
        [28, 56],
        [56, 28],
        [56, 56],
        [84, 28],
        [28, 84],
      ],
    },
  },
  paligemma: { imageToken: '<image>', vision: { image_size: 42, patch_size: 14 } },
  mllama: { imageToken: '<|image|>', vision: { image_size: 21, patch_size: 7 } },
  'qwen2-vl': { imageToken: '<|image_pad|>', vision: { patch_size: 7 } },
  pixtral: { imageToken: '[IMG]', vision: { image_size: 48, patch_size: 8 } },
  fuyu: { imageToken: '|SPEAKER|', whole: { patch_size: 10 }, flat: true },
  aria: {
    imageToken: '<|img|>',
    vision: { image_size: 980, patch_size: 70 },
    whole: { projector_patch_to_query_dict: { 49: 6, 196: 12 }, max_value_projector_patch_to_query_dict: 12 },
  },
  janus: {
    imageToken: '<image_placeholder>',
    vision: { image_size: 28, patch_size: 7, num_image_tokens: 16 },
  },
  internvl: { imageToken: '<IMG_CONTEXT>', vision: { image_size: [28, 28], patch_size: [7, 7] } },
};

/** Families of systems that have a case of their processor. */
export const FAMILIES = Object.keys(FITS);

/** A file of a processor's case: pictures, tokenizer and configuration. */
export const processorFile = (family: string, name: string): Uint8Array =>
  readFileSync(fileOf(`processor-${family}/base/${name}`));

/** `config.json` of a tiny model that fits its processor. */
export function fittingConfig(family: string): JsonObject {
  const config = jsonOf(`${family}/base/model/config.json`);
  const { imageToken, vision, whole, flat } = FITS[family]!;
  const tokenizer = tokenizerFromJson(
    jsonOf(`processor-${family}/base/tokenizer.json`),
    jsonOf(`processor-${family}/base/tokenizer_config.json`),
  );
  const vocabulary = { vocab_size: tokenizer.vocabSize };
  const id = tokenizer.tokenId(imageToken)!;
  const key = 'image_token_index' in config ? 'image_token_index' : 'image_token_id';
  return {
    ...config,
    ...whole,
    ...(flat && vocabulary),
    [key]: id,
    text_config: { ...(config.text_config as JsonObject), ...vocabulary },
    ...(vision && { vision_config: { ...(config.vision_config as JsonObject), ...vision } }),
  };
}

interface FolderChanges {
  /** Names of files that are left out. */
  readonly without?: readonly string[];
  readonly config?: JsonObject;
  /** What becomes of the chat template. */
  readonly template?: (text: string) => string;
}

/**
 * A whole published folder of a family, in memory, below `model`: a tiny model of random weights, and the files of its
 * processor.
 */
export async function publishedFolder(
  family: string,
  { without = [], config = fittingConfig(family), template = (text) => text }: FolderChanges = {},
): Promise<CheckpointStorage> {
  const { model, names } = await composeSystem(systemOf(config), config);
  model.initialize({ seed: 1 });
  const kept = readdirSync(fileOf(`processor-${family}/base/`)).filter(
    (name) => /\.(json|jinja)$/.test(name) && !['case.json', ...without].includes(name),
  );
  const text = (name: string) => readFileSync(fileOf(`processor-${family}/base/${name}`), 'utf8');
  const files = Object.fromEntries(
    kept.map((name) => [name, name.endsWith('.jinja') ? template(text(name)) : text(name)]),
  );
  const storage = memoryStorage();
  await saveModelFolder(storage, 'model', { config, weights: saveWeights(model, names), files });
  model.dispose();
  return storage;
}
