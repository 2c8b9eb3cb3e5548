import type { StoredType } from './load-file.ts';

/** Numeric types that weights may be held in; computation is in float32. */
export const HELD_TYPES = ['float32', 'bfloat16', 'q8', 'q4'] as const;
export type HeldType = (typeof HELD_TYPES)[number];

/** What of the small LLaVA learns. `projector_cached` has the encoder's features from memory. */
export type TrainStage = 'full' | 'encoder_frozen' | 'projector' | 'projector_cached';

/** What an engine is to do, over and over. */
export type Work =
  /** The product of two float32[size, size], one of which lies transposed. The output is the product. */
  | { readonly kind: 'matmul'; readonly size: number; readonly transpose?: 'a' | 'b' }
  /** Every query sees every key. The output is float32[heads, length, headSize]. */
  | {
      readonly kind: 'attention';
      readonly heads: number;
      readonly length: number;
      readonly headSize: number;
    }
  /** The embeddings of `batch` pictures, float32[batch, D]. */
  | { readonly kind: 'vision'; readonly model: string; readonly batch: number }
  /** Greedy tokens after a prompt. `held` is heeded by engines that can. */
  | { readonly kind: 'decode'; readonly model: string; readonly held: HeldType }
  /** One step of the optimiser. The output is the loss before it. */
  | { readonly kind: 'train'; readonly model: string; readonly stage: TrainStage }
  /** A decoder gets its weights from a file. The output is some of them. */
  | { readonly kind: 'load'; readonly stored: StoredType; readonly held: HeldType }
  /**
   * A JPEG becomes what CLIP's processor makes of it: its shortest edge is scaled to `edge`, bicubic, and the centre
   * cut out. The output is float32[1, edge, edge, 3].
   */
  | { readonly kind: 'preprocess'; readonly width: number; readonly height: number; readonly edge: number }
  /** A text of so many bytes in UTF-8 becomes ids, with the tokenizer of a golden case. The output is the ids. */
  | { readonly kind: 'tokenize'; readonly tokenizer: string; readonly bytes: number };

/** How and with what an engine does it. */
export interface Setting {
  readonly backend: 'wasm' | 'webgpu';
  readonly threads: number;
  /** Folder of the models. */
  readonly models: string;
  /** The interpreter, for engines that are partly Python. */
  readonly python: string;
}

/** What came of one run. */
export interface Output {
  /**
   * Numbers to be compared with other engines' and PyTorch's; of decoding, the logits after the prompt. Asked for
   * when the clock has stopped, so what reads them from the device belongs before.
   */
  values?(): ArrayLike<number> | Promise<ArrayLike<number>>;
  /** Of decoding: the tokens, the time to the first one, and that which each other one took. */
  readonly tokens?: readonly number[];
  readonly msToFirst?: number;
  readonly msPerToken?: number;
}

/** An engine that is ready for its work: models are loaded and sessions open. */
export interface Engine {
  run(): Promise<Output>;
}

/** What the module of an engine exports. */
export type OpenEngine = (work: Work, setting: Setting) => Promise<Engine>;
