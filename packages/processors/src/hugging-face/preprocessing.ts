import { ConfigError } from '@mmllm/core';
import type { DescribedPreprocessing } from '../prepare/prepare';
import { aria, molmo } from './covered';
import { file, type Json, type Reader } from './fields';
import { clip, janus, llava, siglip, vit } from './fixed';
import { emu3, fuyu, pixtral, qwen2Vl } from './packed';
import { gotOcr2, llavaNext, mllama, mm15, nvlm } from './tiles';

/** By the name of the class, without `ImageProcessor`. */
const readers: Readonly<Record<string, Reader<DescribedPreprocessing>>> = {
  Aria: aria,
  CLIP: clip,
  Emu3: emu3,
  Fuyu: fuyu,
  GotOcr2: gotOcr2,
  Janus: janus,
  Llava: llava,
  LlavaNext: llavaNext,
  Mllama: mllama,
  Mm15: mm15,
  Molmo: molmo,
  NVLM: nvlm,
  Pixtral: pixtral,
  Qwen2VL: qwen2Vl,
  Siglip: siglip,
  ViT: vit,
};

/**
 * The preprocessing of a parsed `preprocessor_config.json`, or of a `processor_config.json` with an image processor in
 * it. Keys that the file leaves out have the values of transformers' class. Old spellings are read too: a size that is
 * a number, `feature_extractor_type`, the classes that end in `FeatureExtractor`, `Fast` or `Pil`. The result is always
 * that of the Pillow classes: the ones of torchvision differ from them in the last bits of a byte.
 *
 * @throws ConfigError for a class that is not known, and for a value that is outside the known set.
 */
export function preprocessingFromHuggingFace(json: unknown): DescribedPreprocessing {
  const outer = asObject(json) ?? {};
  const nested = asObject(outer.image_processor);
  const inner = nested ?? outer;
  const type = inner.image_processor_type ?? inner.feature_extractor_type;
  const name =
    typeof type === 'string' ? type.replace(/(ImageProcessor|FeatureExtractor)(Fast|Pil)?$/, '') : '';
  const read = Object.hasOwn(readers, name) && name !== type ? readers[name] : undefined;
  if (read) return read(inner, nested ? outer : {});
  throw new ConfigError({
    component: `${file}.image_processor_type`,
    expected: `one of ${Object.keys(readers).join(', ')}, each with ImageProcessor behind it`,
    actual: JSON.stringify(type) ?? 'nothing',
  });
}

const asObject = (value: unknown): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
