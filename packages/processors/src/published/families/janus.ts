import { parseConfig } from '@mmllm/core';
import { z } from 'zod';
import { count, flag, or } from '../../hugging-face/fields';
import { viewsOf } from '../arrange';
import { type Edit, insertion } from '../edits';
import type { MakeFamily } from '../family';
import { namedToken } from '../named-token';

const keys = z.object({ use_default_system_prompt: flag(false), num_image_tokens: or(count, 576) });

/** As published with the model. */
const systemPrompt =
  'You are a helpful language and vision assistant. You are able to understand the visual content that the user ' +
  'provides, and assist the user with a variety of tasks using natural language.\n\n';

/** Janus: start, tokens and end for a picture that is read; the start alone, behind the text, for one to be made. */
export const janus: MakeFamily = ({ processor, tokenizer }) => {
  const config = parseConfig('processor_config.json', keys, processor as z.input<typeof keys>);
  const token = namedToken(tokenizer, 'JanusProcessor');
  const [imageToken, start, end] = [token('image_token'), token('boi_token'), token('eoi_token')];
  return {
    imageToken,
    text: { paddingSide: 'left' },
    layout: (texts, { options }) =>
      texts.map((text): Edit[] => {
        if (options.generate === 'image') return [insertion(text.length, start)];
        return config.use_default_system_prompt ? [insertion(0, systemPrompt)] : [];
      }),
    around: [start, end],
    placeholders: ({ host }) => host.images.map(() => imageToken.repeat(config.num_image_tokens)),
    images: ({ host }) => ({ pixel_values: viewsOf(host) }),
  };
};
