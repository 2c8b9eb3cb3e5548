import { ConfigError, type ProcessorContext, type ProcessorFactory, type TextTokenizer } from '@mmllm/core';
import { fromJinja } from './chat/adapt';
import type { JinjaTemplate } from './chat/template';
import { PromptProcessor, type PromptRules } from './prompt-processor';
import { remember } from './text/cache';
import { type ChatTemplate, plainTemplate } from './text/template';

export interface TextAndImagesOptions {
  readonly tokenizer: TextTokenizer;
  /** What stands for a picture in a prompt; a token of the vocabulary. Default `<image>`. */
  readonly imageToken?: string;
  /** Token in front of every sample that does not spell it out already. Default: none. */
  readonly bosToken?: string;
  /** Tokens that end an answer; the first one is put behind answers in training. Default `</s>`. */
  readonly stopTokens?: readonly string[];
  /** Default `<pad>` where the vocabulary has it, else the first stop token. */
  readonly padToken?: string;
  /** Renders `messages`: a function, or the template of a released model. Default: `plainTemplate`. */
  readonly template?: ChatTemplate | JinjaTemplate;
}

/** A run over questions repeats few texts often. */
const rememberedTexts = 4096;

/**
 * The processor of a model that reads text and pictures: prompts are tokenised, each image token in them gives way to
 * what the model's fusion wants for its picture, and pictures are prepared as the model's encoder wants them.
 *
 * An answer is tokenised on its own, so that training sees the ids that generation continues with.
 */
export function textAndImages(options: TextAndImagesOptions): ProcessorFactory {
  return {
    specVersion: 'processor/v1',
    build: (context) => new PromptProcessor(rulesOf(options, context), context),
  };
}

function rulesOf(options: TextAndImagesOptions, { encoder }: ProcessorContext): PromptRules {
  const { tokenizer, imageToken = '<image>', stopTokens = ['</s>'], template = plainTemplate } = options;
  const { bosToken = '' } = options;
  const stopIds = stopTokens.map((token) => requireToken(tokenizer, token, 'stopTokens'));
  if (stopTokens.length === 0) {
    throw new ConfigError({
      component: 'textAndImages.stopTokens',
      expected: 'at least one token',
      actual: 'none',
    });
  }
  if (options.bosToken) requireToken(tokenizer, options.bosToken, 'bosToken');
  const encode = remember((text) => tokenizer.encode(text), rememberedTexts);
  return {
    ...{ tokenizer, imageToken, stopIds },
    imageTokenId: encoder
      ? requireToken(tokenizer, imageToken, 'imageToken')
      : (tokenizer.tokenId(imageToken) ?? -1),
    padId: options.padToken
      ? requireToken(tokenizer, options.padToken, 'padToken')
      : (tokenizer.tokenId('<pad>') ?? stopIds[0]),
    template: typeof template === 'function' ? template : fromJinja(template),
    layOut: ({ text }) => (text.startsWith(bosToken) ? text : bosToken + text),
    encodePrompt: encode,
    encodeAnswer: encode,
  };
}

/** The id of a token that texts spell out as a whole. */
function requireToken(tokenizer: TextTokenizer, token: string, option: keyof TextAndImagesOptions): number {
  const id = tokenizer.tokenId(token);
  if (id !== undefined) {
    const ids = tokenizer.encode(token);
    if (ids.length === 1 && ids[0] === id) return id;
  }
  throw new ConfigError({
    component: `textAndImages.${option}`,
    expected: 'a special token of the vocabulary',
    actual: `'${token}', which ${id === undefined ? 'it does not hold' : 'is read as ordinary text'}`,
    hint: 'Add it to the special tokens of the tokenizer, or name another one.',
  });
}
