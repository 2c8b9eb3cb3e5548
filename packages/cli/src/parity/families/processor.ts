import type { HostTensor } from '@mmllm/conformance';
import {
  fuyuCoordinates,
  type HuggingFaceProcessor,
  type ProcessorArrays,
  type ProcessorInput,
  type ProcessorOptions,
  processorFromHuggingFace,
} from '@mmllm/processors';
import { z } from 'zod';
import type { Comparison } from '../comparison';
import type { ParityFamily } from '.';

const side = z.enum(['left', 'right']);

/** Keyword arguments of transformers that the calls of cases use. */
const kwargs = z.strictObject({
  padding: z.union([z.boolean(), z.enum(['longest', 'max_length'])]).optional(),
  padding_side: side.optional(),
  truncation: z.boolean().optional(),
  max_length: z.int().optional(),
  return_attention_mask: z.boolean().optional(),
  suffix: z.array(z.string()).optional(),
  generation_mode: z.enum(['text', 'image']).optional(),
  return_for_image_generation: z.boolean().optional(),
  ratio: z.string().optional(),
  image_area: z.number().optional(),
  max_image_size: z.int().optional(),
});

const part = z.looseObject({ type: z.string(), picture: z.int().optional() });
const chat = z.array(z.looseObject({ role: z.string(), content: z.array(part) }));

const calls = z.array(
  z.strictObject({
    text: z.array(z.string()).optional(),
    /** Numbers of pictures, for each text or in one list. */
    images: z.array(z.union([z.int(), z.array(z.int())])).optional(),
    /** Numbers of the pictures that are frames. */
    videos: z.array(z.array(z.int())).optional(),
    chats: z.array(chat).optional(),
    kwargs: kwargs.default({}),
    template_kwargs: z.record(z.string(), z.unknown()).optional(),
    decoded: z.array(z.string()).optional(),
  }),
);

const description = z.looseObject({
  images: z.array(z.string()),
  inputs: calls,
  thinned: z.string().optional(),
  coordinates: z.array(z.object({ text: z.string(), scale: z.number(), out: z.string() })).default([]),
});

type Call = z.output<typeof calls>[number];

/** Texts, conversations and pictures to the arrays of transformers' processor, for every call of the case. */
export const processor: ParityFamily = async (golden, comparison) => {
  const { images, inputs, thinned, coordinates } = description.parse(golden.description);
  const pictures = await Promise.all(images.map((name) => golden.bytes(name)));
  const ours = await processorFromHuggingFace(golden.folder);
  for (const [n, call] of inputs.entries()) {
    const arrays = await run(ours, call, pictures);
    await compare(arrays, `out.${n}.`, comparison, thinned ? every(thinned) : 1);
  }
  coordinates.forEach(({ text, scale, out }, i) => {
    comparison.giveJson(`coordinates.${i}`, fuyuCoordinates(text, scale), out);
  });
};

function run(
  ours: HuggingFaceProcessor,
  call: Call,
  pictures: readonly Uint8Array[],
): Promise<ProcessorArrays> {
  const options = optionsOf(call);
  const { text, images, videos, chats } = call;
  if (chats)
    return ours.forTraining({ messages: chats.map((messages) => shown(messages, pictures)) }, options);
  const input = {
    text,
    images: images?.map((each) => (typeof each === 'number' ? pictures[each] : each.map((i) => pictures[i]))),
    videos: videos?.map((frames) => ({ frames: frames.map((i) => pictures[i]) })),
  };
  return ours(input as ProcessorInput, options);
}

/** A conversation whose image parts name a picture of the case. */
function shown(messages: z.output<typeof chat>, pictures: readonly Uint8Array[]) {
  return messages.map((message) => ({
    ...message,
    content: message.content.map(({ picture, ...rest }) =>
      picture === undefined ? rest : { ...rest, image: pictures[picture] },
    ),
  }));
}

function optionsOf({ kwargs, template_kwargs }: Call): ProcessorOptions {
  const { max_image_size, generation_mode, return_for_image_generation } = kwargs;
  return {
    padding: kwargs.padding,
    paddingSide: kwargs.padding_side,
    truncation: kwargs.truncation,
    maxLength: kwargs.max_length,
    returnAttentionMask: kwargs.return_attention_mask,
    suffix: kwargs.suffix,
    generate: return_for_image_generation ? 'image' : generation_mode,
    ratio: kwargs.ratio,
    imageArea: kwargs.image_area,
    ...(max_image_size !== undefined && { imageOptions: { max_image_size } }),
    variables: template_kwargs,
  };
}

/**
 * Every array, and none that the case does not name: but for labels, which transformers leaves to whoever trains. One that
 * it holds in pieces is not known here, and so is missed.
 */
async function compare(
  arrays: ProcessorArrays,
  prefix: string,
  comparison: Comparison,
  step: number,
): Promise<void> {
  for (const [key, array] of Object.entries(arrays)) {
    const name = prefix + key;
    if (comparison.wants(name))
      await comparison.give(name, step > 1 && key.startsWith('pixel') ? thinOut(array, step) : array);
    else if (key !== 'labels') comparison.giveUnexpected(name);
  }
}

/** The step of "pixel values and masks are kept at every 14th row and column". */
function every(thinned: string): number {
  const step = Number(/every (\d+)/.exec(thinned)?.[1]);
  if (step > 0) return step;
  throw new Error(`case.json thinned: expected 'every N', got '${thinned}'`);
}

function thinOut({ data, shape }: HostTensor, step: number): HostTensor {
  const [height, width] = shape.slice(-2);
  const kept = data.filter(
    (_, i) => (i % width) % step === 0 && (Math.floor(i / width) % height) % step === 0,
  );
  return { data: kept, shape: [...shape.slice(0, -2), Math.ceil(height / step), Math.ceil(width / step)] };
}
