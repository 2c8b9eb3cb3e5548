import { ConfigError, type ImageSource } from '@mmllm/core';
import type { ChatMessage } from '../chat/message';

/** Frames, and how many of them were filmed in a second. */
export interface Video {
  readonly frames: readonly ImageSource[];
  readonly framesPerSecond?: number;
}

export type Conversation = readonly ChatMessage[];

/** What a conversation shows, in its order. */
export interface ShownMedia {
  readonly images: ImageSource[];
  readonly videos: Video[];
}

/** Where a part of a message may hold its picture or video, as in transformers. */
const sourceKeys = ['image', 'video', 'url', 'path', 'frames', 'framesPerSecond'];

/** The pictures and videos of a conversation. @throws ConfigError for a part without one. */
export function mediaOf(conversation: Conversation): ShownMedia {
  const shown: ShownMedia = { images: [], videos: [] };
  for (const part of conversation.flatMap(partsOf)) {
    const source = part[String(part.type)] ?? part.url ?? part.path;
    if (part.type === 'image') shown.images.push((source as ImageSource | undefined) ?? missing('image'));
    if (part.type === 'video') shown.videos.push((source as Video | undefined) ?? missing('video'));
  }
  return shown;
}

/** The conversation as its template sees it: that there is a picture, not what is in it. */
export function withoutMedia(conversation: Conversation): ChatMessage[] {
  return conversation.map((message) => {
    const { content } = message;
    if (typeof content === 'string' || !content) return message;
    return { ...message, content: content.map(withoutSource) };
  });
}

type Part = Readonly<Record<string, unknown>>;

const isPart = (part: unknown): part is Part => typeof part === 'object' && part !== null;
const isShown = ({ type }: Part) => type === 'image' || type === 'video';

const partsOf = ({ content }: ChatMessage): Part[] =>
  typeof content === 'string' || !content ? [] : content.filter(isPart).map(inOurWords);

/** `{ type: 'image_url', image_url: { url } }` is how other services write a picture; transformers reads it too. */
function inOurWords(part: Part): Part {
  const { image_url: named } = part;
  if (part.type !== 'image_url' || named === undefined) return part;
  return { type: 'image', url: isPart(named) ? named.url : named };
}

/** Templates look for the keys of a part, so these stay. */
function withoutSource(given: unknown): unknown {
  const part = isPart(given) ? inOurWords(given) : given;
  if (!isPart(part) || !isShown(part)) return part;
  return Object.fromEntries(
    Object.entries(part).map(([key, value]) => [key, sourceKeys.includes(key) ? '' : value]),
  );
}

function missing(kind: string): never {
  throw new ConfigError({
    component: 'messages',
    expected: `a part of type '${kind}' with its '${kind}'`,
    actual: 'one without',
  });
}
