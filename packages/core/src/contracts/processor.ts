import type { TokenIds } from './decoder';
import type { Fusion } from './fusion';
import type { ImageEncoder } from './image-encoder';
import type { ImageBatch, Picture, PreparedImage } from './images';
import type { Projector } from './projector';

/** A picture, decoded or still to be: a path or URL, encoded bytes, or a `Blob`. */
export type ImageSource = Picture | string | URL | Uint8Array | ArrayBuffer | Blob;

export type ContentPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly image: ImageSource };

export interface Message {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string | readonly ContentPart[];
}

/**
 * One conversation, or a ready prompt with its pictures in the order of its image tokens. With an answer it is a
 * training sample, and only the answer counts in the loss.
 */
export type Sample = { readonly answer?: string } & (
  | { readonly messages: readonly Message[] }
  | { readonly prompt: string; readonly images?: readonly ImageSource[] }
);

/** A batch of samples, ready for `model.forward`. The images belong to the caller: see `disposeImages`. */
export interface ModelInputs {
  readonly ids: TokenIds;
  /** First and end (exclusive) position of the real tokens, int32[B]; the rest is padding. Default: all are real. */
  readonly start?: Int32Array;
  readonly end?: Int32Array;
  readonly imageTokenId: number;
  readonly imagesPerSample: readonly number[];
  /** The pictures, without those that `ProcessOptions.known` knew; absent where that leaves none. */
  readonly images?: ImageBatch;
  /** Prefix-LM: tokens before this index are seen by all, int32[B]. */
  readonly prefix?: Int32Array;
  /**
   * Which sample of its row each token belongs to, int32[B, T], where several are packed into one: tokens of different
   * samples do not see each other, and positions begin anew with each. Default: a row is one sample.
   */
  readonly blocks?: Int32Array;
  /** int32[B, T]: the token that each position should predict (already shifted), −100 where none counts. */
  readonly labels?: Int32Array;
}

export interface TextTokenizer {
  readonly vocabSize: number;
  /** Ids of a text; special tokens that it spells out become their single id. */
  encode(text: string): Int32Array;
  decode(ids: Iterable<number>, options?: { skipSpecialTokens?: boolean }): string;
  /** Id of a token, or undefined. */
  tokenId(token: string): number | undefined;
  /** Decodes token by token. Without it, everything is decoded again for every token. */
  stream?(options?: { skipSpecialTokens?: boolean }): TextStream;
}

/** Text from ids that come one by one. */
export interface TextStream {
  /** The text that the id makes certain: complete characters, often none. */
  push(id: number): string;
  /** The rest. With it, all pieces are what decoding all ids at once gives. */
  end(): string;
}

export interface ProcessOptions {
  /** Side of the padding in a batch: `left` for generation, `right` for training. */
  readonly padding: 'left' | 'right';
  /**
   * What a picture was prepared to before, for one whose features the caller has: the text gets its placeholders, but
   * the picture is neither decoded nor part of `images`. Asked once for every picture, in their order.
   */
  readonly known?: (image: ImageSource) => PreparedImage | undefined;
  readonly signal?: AbortSignal;
}

/** Text and pictures to model inputs, for the parts that it was built with. */
export interface Processor {
  readonly specVersion: 'processor/v1';
  readonly tokenizer: TextTokenizer;
  /** Tokens that end an answer. */
  readonly stopIds: readonly number[];
  /**
   * @throws PictureError for a picture that cannot be read; PlaceholderCountError if a prompt's image tokens are not
   * as many as its pictures.
   */
  process(samples: readonly Sample[], options: ProcessOptions): Promise<ModelInputs>;
  /** Prepares pictures alone, as the encoder wants them. The caller owns the batch. */
  prepareImages(images: readonly ImageSource[], signal?: AbortSignal): Promise<ImageBatch>;
}

/** The parts that decide how pictures are prepared and how many tokens each takes. */
export interface ProcessorContext {
  readonly encoder?: ImageEncoder;
  readonly projector?: Projector;
  readonly fusion?: Fusion;
}

/** What users pass to `composeModel`. */
export interface ProcessorFactory {
  readonly specVersion: 'processor/v1';
  build(context: ProcessorContext): Processor;
}
