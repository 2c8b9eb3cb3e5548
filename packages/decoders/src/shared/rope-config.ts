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

const kind = z.enum(['default', 'linear', 'llama3']);

/** Kinds of scaling as transformers writes them, with `rope_theta` among their values since version 5. */
const scaling = z
  .object({ rope_type: kind.optional(), type: kind.optional() })
  .loose()
  // It was once called `type`.
  .transform(({ rope_type, type, ...rest }) => ({ ...rest, rope_type: rope_type ?? type ?? 'default' }))
  .pipe(
    z.discriminatedUnion('rope_type', [
      z.object({ rope_type: z.literal('default'), rope_theta: positive.optional() }),
      z.object({ rope_type: z.literal('linear'), rope_theta: positive.optional(), factor: positive }),
      z.object({
        rope_type: z.literal('llama3'),
        rope_theta: positive.optional(),
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
} {
  const rope = rope_parameters ?? rope_scaling;
  return {
    ropeTheta: rope?.rope_theta ?? rope_theta ?? undefined,
    ropeScaling: rope ? scalingOf(rope) : undefined,
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
