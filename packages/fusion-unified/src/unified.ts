import {
  ConfigError,
  type DecoderInputs,
  type Fusion,
  type FusionFactory,
  type FusionInputs,
  type ImageTokens,
  Module,
  normal,
  Parameter,
  type Positions,
  parseConfig,
  type SequencePiece,
  textOrder,
} from '@mmllm/core';
import { z } from 'zod';
import { type Arrangement, inOrder, placeholdersOf, slotsOf } from './arrangements/arrangement';
import { gridPositions } from './grid-positions';
import { type PlacedImage, placeImages } from './images';
import { addRows, embedText, replaceRows, sourceRows } from './sequence';

const name = 'unified';
const component = `fusion '${name}'`;

export interface UnifiedOptions {
  /** How a picture's tokens stand in the text. Default: all rows of its views in order, with nothing between them. */
  readonly arrangement?: Arrangement;
  /** Whether a feature takes the place of its image token's embedding, or is added to it (Molmo). Default `replace`. */
  readonly join?: 'replace' | 'add';
  /**
   * `sequential`: each token stands behind the one before it. `grid`: positions of three axes, by the frames, rows and
   * columns of pictures (Qwen2-VL), for decoders that have them. Default `sequential`.
   */
  readonly positions?: 'sequential' | 'grid';
  /** Position of the first token; PaliGemma begins at 1. Default 0. */
  readonly firstPosition?: number;
}

const schema = z.strictObject({
  arrangement: z
    .custom<Arrangement>((value) => typeof (value as Arrangement)?.pieces === 'function')
    .default(inOrder),
  join: z.enum(['replace', 'add']).default('replace'),
  positions: z.enum(['sequential', 'grid']).default('sequential'),
  firstPosition: z.int().nonnegative().default(0),
});

/**
 * Method A: every feature row takes the place of one image token, and the decoder reads it like a word (LLaVA, Liu et
 * al. 2023, arXiv:2304.08485). Its only parameter is the newline of arrangements that have one.
 */
class Unified extends Module implements Fusion {
  readonly specVersion = 'fusion/v1';
  readonly name = name;
  readonly newline?: Parameter;
  readonly #options: z.output<typeof schema>;

  constructor(options: z.output<typeof schema>, hiddenSize: number) {
    super();
    this.#options = options;
    // PyTorch's first values of LLaVA-NeXT's.
    if (options.arrangement.newline) {
      this.newline = new Parameter([hiddenSize], { initializer: normal(1 / Math.sqrt(hiddenSize)) });
    }
  }

  placeholders(image: ImageTokens): SequencePiece[] {
    const { arrangement } = this.#options;
    return arrangement.placeholders?.(image) ?? placeholdersOf(arrangement.pieces(image));
  }

  fuse(inputs: FusionInputs): DecoderInputs {
    const { arrangement, join } = this.#options;
    const slots = new Map(inputs.images.map((image) => [image, slotsOf(arrangement.pieces(image))]));
    const images = placeImages(component, inputs, (image) => slots.get(image)!.length);
    const order = { ...textOrder(inputs), positions: this.#positions(inputs, images) };
    // What is added to, keeps its own embedding.
    const text = join === 'add' ? inputs.embed(inputs.ids) : embedText(inputs);
    if (images.length === 0) return { embeddings: text, ...order };
    try {
      const { features } = inputs.encode();
      const source = sourceRows(images, inputs.ids.shape, (image) => slots.get(image)!);
      const joined = { features, source, newline: this.newline?.value };
      const embeddings =
        join === 'add' ? addRows(component, text, joined) : replaceRows(component, text, joined);
      return { embeddings, ...order };
    } finally {
      text.dispose();
    }
  }

  #positions(inputs: FusionInputs, images: readonly PlacedImage[]): Positions {
    const { positions, firstPosition } = this.#options;
    const from0 =
      positions === 'grid' ? gridPositions(component, inputs, images) : textOrder(inputs).positions;
    if (firstPosition === 0) return from0;
    return { ...from0, data: from0.data.map((position) => position + firstPosition) };
  }
}

/**
 * Placeholder substitution; the pictures stand in the text and share its causal rule.
 *
 * @throws ConfigError for an unknown option; at composition also for grid positions that the decoder does not have.
 */
export function unified(options: UnifiedOptions = {}): FusionFactory {
  const config = parseConfig('unified', schema, options);
  return {
    specVersion: 'fusion/v1',
    name,
    build: ({ decoder }) => {
      if (config.positions === 'grid' && decoder.positionAxes !== 3) {
        throw new ConfigError({
          component: 'unified.positions',
          expected: `sequential, since decoder '${decoder.name}' has positions of one axis`,
          actual: 'grid',
        });
      }
      return new Unified(config, decoder.hiddenSize);
    },
  };
}
