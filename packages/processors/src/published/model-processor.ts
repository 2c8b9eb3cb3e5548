import { ConfigError, type ImagePreprocessing, type Message, type ProcessorFactory } from '@mmllm/core';
import { fromJinja } from '../chat/adapt';
import type { DescribedPreprocessing } from '../prepare/prepare';
import { type Prompt, PromptProcessor, type PromptRules } from '../prompt-processor';
import type { ChatTemplate } from '../text/template';
import type { JsonTokenizer } from '../tokenizer/tokenizer';
import { edited } from './edits';
import type { Family } from './family';
import { requireTemplate } from './layout';
import { openParts, type ProcessorFiles } from './open';
import type { ProcessorParts } from './processor';

/** The processor of a published model, as a part to compose it with. */
export interface ModelProcessorFactory extends ProcessorFactory {
  readonly tokenizer: JsonTokenizer;
  /** What the files say is done to pictures. */
  readonly preprocessing: DescribedPreprocessing;
  /** The token that stands for a picture in a text, and its id. */
  readonly imageToken: string;
  readonly imageTokenId: number;
}

/**
 * The processor of a published model, from the files that `processorFromHuggingFace` reads, for `composeModel`: prompts
 * are written as its class writes them, pictures are prepared as its files say, and how many tokens each takes is the
 * composed model's affair. A model without a chat template takes one message, whose parts become a prompt in their order.
 *
 * @throws ConfigError for a class that is not known or knows no picture in a text, a file that is missing, or a value
 * outside the known set.
 * @throws TokenizerError, TemplateError for a tokenizer or a template that cannot be used.
 */
export async function modelProcessorFromHuggingFace(files: ProcessorFiles): Promise<ModelProcessorFactory> {
  const parts = await openParts(files);
  const { className, tokenizer } = parts;
  const { family, preprocessing } = parts.familyOf();
  const imageToken = family.imageToken ?? missing(className, 'a token that stands for a picture');
  const imageTokenId =
    tokenizer.tokenId(imageToken) ?? missing(className, `'${imageToken}' in tokenizer.json`);
  const rules = { imageToken, imageTokenId, ...rulesOf(parts, family) };
  return {
    ...{ specVersion: 'processor/v1', tokenizer, preprocessing, imageToken, imageTokenId },
    build: (context) => {
      const forEncoder = countingPatches(preprocessing, context.encoder?.preprocessing);
      return new PromptProcessor({ ...rules, preprocessing: forEncoder }, context);
    },
  };
}

/** Which part of each patch is picture is counted in the patches of the encoder, whose size these files do not say. */
function countingPatches(
  files: DescribedPreprocessing,
  encoder: ImagePreprocessing | undefined,
): DescribedPreprocessing {
  const counts = files.kind === 'padded' || files.kind === 'crops';
  return counts && encoder?.kind === files.kind ? { ...files, patchSize: encoder.patchSize } : files;
}

function rulesOf(
  parts: ProcessorParts,
  family: Family,
): Omit<PromptRules, 'imageToken' | 'imageTokenId' | 'preprocessing'> {
  const { className, tokenizer, template } = parts;
  const { bos_token: bos, eos_token: eos, pad_token: pad } = tokenizer.specialTokens;
  const idOf = (token: string | undefined) => (token === undefined ? undefined : tokenizer.tokenId(token));
  const stopId = idOf(eos) ?? missing(className, 'an eos_token in tokenizer_config.json');
  // As in transformers: a template that begins with the start token has written all special tokens itself.
  const addsSpecialTokens = ({ isChat, text }: Prompt) =>
    (family.text?.addSpecialTokens ?? true) && !(isChat && bos !== undefined && text.startsWith(bos));
  return {
    tokenizer,
    stopIds: [stopId],
    padId: idOf(pad) ?? stopId,
    template: template ? fromJinja(template) : oneMessage(parts, family),
    layOut(prompt) {
      const { text, numImages } = prompt;
      const call = {
        options: {},
        addSpecialTokens: addsSpecialTokens(prompt),
        ...(numImages > 0 && { perSample: [numImages] }),
      };
      return edited(text, family.layout?.([text], call)[0] ?? []).text;
    },
    around: family.around,
    encodePrompt(text, prompt) {
      const addSpecialTokens = addsSpecialTokens(prompt);
      const batch = family.tokenize?.([text], { addSpecialTokens }, prompt.numImages > 0);
      return batch?.input_ids.data ?? Int32Array.from(tokenizer.encoding(text, { addSpecialTokens }).ids);
    },
    encodeAnswer: (text) => tokenizer.encode(text),
    prefixLm: family.prefixLm,
  };
}

/** The parts of a single message in their order. Pictures that stand in front by themselves are not named. */
function oneMessage(parts: ProcessorParts, { imagesPerText }: Family): ChatTemplate {
  return (messages, { imageToken }) => {
    const [message, ...more] = messages;
    if (message?.role !== 'user' || more.length > 0) requireTemplate(parts);
    return textOf(message, imagesPerText ? '' : imageToken);
  };
}

const textOf = ({ content }: Message, picture: string): string =>
  typeof content === 'string'
    ? content
    : content.map((part) => (part.type === 'image' ? picture : part.text)).join('');

function missing(component: string, expected: string): never {
  throw new ConfigError({ component, expected, actual: 'none' });
}
