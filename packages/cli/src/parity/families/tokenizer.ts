import { type BatchOptions, type JsonTokenizer, tokenizerFromJson } from '@mmllm/processors';
import { z } from 'zod';
import type { Comparison } from '../comparison';
import type { ParityFamily } from '.';

const side = z.enum(['left', 'right']);

const description = z.looseObject({
  vocabulary: z.int(),
  inputs: z.object({
    texts: z.array(z.string()),
    calls: z.array(
      z.strictObject({
        padding_side: side,
        truncation_side: side,
        padding: z.union([z.boolean(), z.literal('max_length')]),
        truncation: z.boolean().optional(),
        max_length: z.int().optional(),
        pad_to_multiple_of: z.int().optional(),
        add_special_tokens: z.boolean().optional(),
      }),
    ),
    pair: z.array(z.tuple([z.string(), z.string()])),
  }),
});

/** A line is a text to be tokenised, or ids to be decoded. */
const lineSchema = z.union([
  z.looseObject({ text: z.string(), with_special: z.array(z.int()) }),
  z.looseObject({ text: z.undefined().optional(), ids: z.array(z.int()) }),
]);

/** Ids, offsets and decoded texts of a tokenizer, and its batches. */
export const tokenizer: ParityFamily = async (golden, comparison) => {
  const { inputs } = description.parse(golden.description);
  const ours = tokenizerFromJson(
    (await golden.folder.tokenizer()) ?? {},
    (await golden.folder.tokenizerConfig()) ?? {},
  );
  golden.lines.forEach((line, i) => {
    compareLine(ours, line, `${i}.`, comparison);
  });
  for (const [n, call] of inputs.calls.entries()) {
    const options: BatchOptions = {
      paddingSide: call.padding_side,
      truncationSide: call.truncation_side,
      padding: call.padding,
      truncation: call.truncation,
      maxLength: call.max_length,
      padToMultipleOf: call.pad_to_multiple_of,
      addSpecialTokens: call.add_special_tokens,
    };
    await compareBatch(ours.batch(inputs.texts, options), `out.${n}.`, comparison);
  }
  const [firsts, seconds] = [0, 1].map((i) => inputs.pair.map((pair) => pair[i]));
  const pairs = ours.batch(firsts, {
    pairs: seconds,
    padding: true,
    paddingSide: 'right',
    returnTokenTypeIds: true,
  });
  await compareBatch(pairs, 'out.pair.', comparison);
};

function compareLine(ours: JsonTokenizer, json: object, prefix: string, comparison: Comparison): void {
  const line = lineSchema.parse(json);
  const give = (key: string, actual: () => unknown) => {
    if (key in line) comparison.giveJson(prefix + key, actual(), (line as Record<string, unknown>)[key]);
  };
  const { text } = line;
  const ids = line.text === undefined ? line.ids : line.with_special;
  if (text !== undefined) {
    const plain = ours.encoding(text, { addSpecialTokens: false });
    give('ids', () => [...plain.ids]);
    give('tokens', () => plain.tokens);
    give('offsets', () => inPairs(plain.codePointOffsets()));
    give('with_special', () => [...ours.encoding(text).ids]);
  }
  give('decoded', () => ours.decode(ids));
  give('decoded_skip', () => ours.decode(ids, { skipSpecialTokens: true }));
}

const inPairs = (offsets: Int32Array) =>
  Array.from({ length: offsets.length / 2 }, (_, i) => [...offsets.subarray(2 * i, 2 * i + 2)]);

async function compareBatch(
  { encodings: _, ...arrays }: ReturnType<JsonTokenizer['batch']>,
  prefix: string,
  comparison: Comparison,
): Promise<void> {
  for (const [key, array] of Object.entries(arrays)) {
    if (comparison.wants(prefix + key)) await comparison.give(prefix + key, array);
    else comparison.giveUnexpected(prefix + key);
  }
}
