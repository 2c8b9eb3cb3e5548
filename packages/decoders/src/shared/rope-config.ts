import type { RopeScaling } from '@mmllm/nn';
import { z } from 'zod';

const positive = z.number().positive();

/** `RopeScaling`, as a configuration holds it. */
export const ropeScalingSchema: z.ZodType<RopeScaling> = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('linear'), factor: positive }),
  z.strictObject({
    type: z.literal('llama3'),
    factor: positive,
    lowFreqFactor: positive,
    highFreqFactor: positive,
    originalMaxPositions: positive,
  }),
]);

const kind = z.enum(['default', 'linear', 'llama3', 'mrope']);

/** What may stand beside the values of any kind; families that do not know them leave them alone, as transformers does. */
const shared = {
  rope_theta: positive.optional(),
  /** How many frequencies turn by time, row and column (Qwen2-VL). */
  mrope_section: z.array(z.int().nonnegative()).length(3).optional(),
  /** The part of each head that turns (Persimmon). */
  partial_rotary_factor: positive.max(1).optional(),
};

/** Kinds of scaling as transformers writes them, with `rope_theta` among their values since version 5. */
const scaling = z
  .object({ rope_type: kind.optional(), type: kind.optional() })
  .loose()
  .transform(({ rope_type, type = 'default', ...rest }) => {
    // It was once called `type`, and positions of three axes were a kind of their own.
    const found = rope_type ?? type;
    return { ...rest, rope_type: found === 'mrope' ? 'default' : found };
  })
  .pipe(
    z.discriminatedUnion('rope_type', [
      z.object({ rope_type: z.literal('default'), ...shared }),
      z.object({ rope_type: z.literal('linear'), ...shared, factor: positive }),
      z.object({
        rope_type: z.literal('llama3'),
        ...shared,
        factor: positive,
        low_freq_factor: positive,
        high_freq_factor: positive,
        original_max_position_embeddings: positive,
      }),
    ]),
  );

/** The keys of a `config.json` that say how positions turn: `rope_parameters` since transformers 5, the others before. */
export const huggingFaceRope = {
  rope_theta: positive.nullish(),
  rope_parameters: scaling.nullish(),
  rope_scaling: scaling.nullish(),
};

type HuggingFaceRope = z.output<z.ZodObject<typeof huggingFaceRope>>;

/** The same by our names. */
export function ropeFromHuggingFace({ rope_theta, rope_parameters, rope_scaling }: HuggingFaceRope): {
  ropeTheta?: number;
  ropeScaling?: RopeScaling;
  ropeSections?: readonly number[];
  rotaryShare?: number;
} {
  const rope = rope_parameters ?? rope_scaling;
  return {
    ropeTheta: rope?.rope_theta ?? rope_theta ?? undefined,
    ropeScaling: rope ? scalingOf(rope) : undefined,
    ropeSections: rope?.mrope_section,
    rotaryShare: rope?.partial_rotary_factor,
  };
}

function scalingOf(rope: z.output<typeof scaling>): RopeScaling | undefined {
  if (rope.rope_type === 'default') return undefined;
  if (rope.rope_type === 'linear') return { type: 'linear', factor: rope.factor };
  return {
    type: 'llama3',
    factor: rope.factor,
    lowFreqFactor: rope.low_freq_factor,
    highFreqFactor: rope.high_freq_factor,
    originalMaxPositions: rope.original_max_position_embeddings,
  };
}
