import { ConfigError } from '@mmllm/core';
import { chatTemplateFromFiles } from '../chat/files';
import type { JinjaTemplate } from '../chat/template';
import type { Json } from '../hugging-face/fields';
import { preprocessingFromHuggingFace } from '../hugging-face/preprocessing';
import { isObject } from '../tokenizer/file';
import { type JsonTokenizer, tokenizerFromJson } from '../tokenizer/tokenizer';
import { aria } from './families/aria';
import { contrastive } from './families/contrastive';
import { emu3 } from './families/emu3';
import { fuyu } from './families/fuyu';
import { internVl } from './families/internvl';
import { janus } from './families/janus';
import { llava, llavaNext } from './families/llava';
import { mllama } from './families/mllama';
import { paligemma } from './families/paligemma';
import { pixtral } from './families/pixtral';
import { qwen2Vl } from './families/qwen2-vl';
import type { MakeFamily } from './family';
import { type HuggingFaceProcessor, makeProcessor, type ProcessorParts } from './processor';
import { videoFromHuggingFace } from './video';

/** By the name of the class, without `Processor`. */
const families: Readonly<Record<string, MakeFamily>> = {
  Aria: aria,
  CLIP: contrastive,
  Emu3: emu3,
  Fuyu: fuyu,
  InternVL: internVl,
  Janus: janus,
  Llava: llava,
  LlavaNext: llavaNext,
  Mllama: mllama,
  PaliGemma: paligemma,
  Pixtral: pixtral,
  Qwen2VL: qwen2Vl,
  Siglip: contrastive,
};

/** Where the files of a model lie: a `ModelFolder` of `@mmllm/checkpoints`, or anything that reads files by name. */
export interface ProcessorFiles {
  /** A file that holds a JSON object; undefined where there is none of that name. */
  json(name: string): Promise<Json | undefined>;
  /** A file of text; undefined where there is none of that name. */
  text(name: string): Promise<string | undefined>;
}

/**
 * The processor of a published model, from the files beside its weights: `processor_config.json`,
 * `preprocessor_config.json`, `video_preprocessor_config.json`, `tokenizer.json`, `tokenizer_config.json` and the chat
 * template. Needs no backend.
 *
 * @throws ConfigError for a class that is not known, a file that is missing, or a value outside the known set.
 * @throws TokenizerError, TemplateError for a tokenizer or a template that cannot be used.
 */
export const processorFromHuggingFace = async (files: ProcessorFiles): Promise<HuggingFaceProcessor> =>
  makeProcessor(await openParts(files));

/** What a published processor is made of. @throws as `processorFromHuggingFace`. */
export async function openParts(files: ProcessorFiles): Promise<ProcessorParts> {
  const [processorFile, preprocessorFile] = [
    await files.json('processor_config.json'),
    await files.json('preprocessor_config.json'),
  ];
  if (!processorFile && !preprocessorFile) {
    throw new ConfigError({
      component: 'processor',
      expected: "'processor_config.json' or 'preprocessor_config.json'",
      actual: 'no such file',
    });
  }
  const [processor, preprocessor] = [processorFile ?? {}, preprocessorFile ?? {}];
  const tokenizerConfig = (await files.json('tokenizer_config.json')) ?? {};
  const name = classOf(processor, preprocessor, tokenizerConfig) ?? (await classByModel(files));
  // The configuration of a nested image processor stands for a file of its own.
  const image = { ...preprocessor, ...objectIn(processor, 'image_processor') };
  const overrides = imageDefaults[name];
  const preprocessing = (options: Json = {}) =>
    preprocessingFromHuggingFace({ ...processor, image_processor: { ...image, ...overrides, ...options } });
  const video =
    objectIn(processor, 'video_processor') ?? (await files.json('video_preprocessor_config.json'));
  const tokenizer = await openTokenizer(files, name, tokenizerConfig);
  const make = families[name];
  const familyOf = (options?: Json) => {
    const described = preprocessing(options);
    return {
      preprocessing: described,
      family: make({ processor, image, preprocessing: described, tokenizer }),
    };
  };
  return {
    className: `${name}Processor`,
    tokenizer,
    paddingSide: tokenizerConfig.padding_side == null ? undefined : tokenizer.paddingSide,
    template: await templateOf(files, processor, tokenizerConfig),
    familyOf,
    video: name === 'Qwen2VL' ? videoFromHuggingFace(video ?? image) : undefined,
  };
}

/** Arguments that a processor passes to its image processor whatever the file of that says. */
const imageDefaults: Readonly<Record<string, Json>> = {
  Aria: { max_image_size: 980, split_image: false },
};

/** The class that the first of the files names. @throws ConfigError for one that is not known. */
function classOf(...configs: readonly Json[]): string | undefined {
  const named = configs.map(({ processor_class }) => processor_class).find((name) => name !== undefined);
  if (named === undefined) return undefined;
  const name = typeof named === 'string' ? named.replace(/Processor$/, '') : '';
  if (Object.hasOwn(families, name) && name !== named) return name;
  throw new ConfigError({
    component: 'processor_class',
    expected: `one of ${Object.keys(families).join(', ')}, each with Processor behind it`,
    actual: JSON.stringify(named),
  });
}

/** Files of older models name no class; transformers goes by the kind of the model then: `qwen2_vl`. */
async function classByModel(files: ProcessorFiles): Promise<string> {
  const { model_type: type } = (await files.json('config.json')) ?? {};
  const plain = (name: string) => name.toLowerCase().replaceAll('_', '');
  const name = Object.keys(families).find(
    (known) => typeof type === 'string' && plain(known) === plain(type),
  );
  if (name) return name;
  throw new ConfigError({
    component: 'processor_class',
    expected:
      'the class in processor_config.json, preprocessor_config.json or tokenizer_config.json, or a known kind of model in config.json',
    actual: type === undefined ? 'none' : `a model of kind ${JSON.stringify(type)}`,
  });
}

async function openTokenizer(files: ProcessorFiles, name: string, config: Json): Promise<JsonTokenizer> {
  const json = await files.json('tokenizer.json');
  if (json) return tokenizerFromJson(json, config);
  throw new ConfigError({
    component: `${name}Processor`,
    expected: "'tokenizer.json'",
    actual: 'no such file',
    hint: 'Save the tokenizer with the Python library once, if the model has only a file of SentencePiece.',
  });
}

/** The chat template, if any file has one. */
async function templateOf(
  files: ProcessorFiles,
  processorConfig: Json,
  tokenizerConfig: Json,
): Promise<JinjaTemplate | undefined> {
  const chatTemplateJson = await files.json('chat_template.json');
  const jinja = await files.text('chat_template.jinja');
  const configs = [processorConfig, chatTemplateJson, tokenizerConfig];
  const found = jinja !== undefined || configs.some((config) => config?.chat_template != null);
  return found
    ? chatTemplateFromFiles({ processorConfig, chatTemplateJson, jinja, tokenizerConfig })
    : undefined;
}

/** A configuration within another one. */
function objectIn(config: Json, key: string): Json | undefined {
  const value = config[key];
  return isObject(value) ? value : undefined;
}
