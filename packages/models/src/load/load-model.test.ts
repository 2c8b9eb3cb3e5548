import { fileURLToPath } from 'node:url';
import { startBackend } from '@mmllm/backends';
import {
  bufferSource,
  memoryStorage,
  openModelFolder,
  openSafetensors,
  toFloat32,
  toInt32,
} from '@mmllm/checkpoints';
import { fileStorage } from '@mmllm/checkpoints/node';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { disposeImages, type ModelInputs } from '@mmllm/core';
import { processorFromHuggingFace } from '@mmllm/processors';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { densePictures } from '../../../cli/src/parity/families/pictures';
import { loadModel } from '../index';
import { FAMILIES, processorFile, publishedFolder } from '../testing/folders';

beforeAll(() => startBackend({ backend: 'wasm' }));

const load = async (family: string) =>
  loadModel(await openModelFolder(await publishedFolder(family), { folder: 'model' }));

/** A call of a processor's case: texts, each with pictures. */
interface Call {
  readonly text?: readonly string[];
  readonly images?: readonly (number | readonly number[])[];
  readonly videos?: unknown;
  readonly kwargs: {
    readonly padding_side?: 'left' | 'right';
    readonly suffix?: readonly string[];
    readonly max_image_size?: number;
    readonly generation_mode?: string;
  };
}

/** The real tokens of each row. */
function rowsOf({ ids, start, end }: ModelInputs): number[][] {
  const [batch, length] = ids.shape;
  return Array.from({ length: batch }, (_, b) => [
    ...ids.data.subarray(b * length + (start?.[b] ?? 0), b * length + (end?.[b] ?? length)),
  ]);
}

describe.each(FAMILIES)('%s from its files', (family) => {
  it('writes prompts as its class in transformers does', async () => {
    const model = await load(family);
    const { inputs, images: names } = JSON.parse(
      new TextDecoder().decode(processorFile(family, 'case.json')),
    ) as { inputs: Call[]; images: string[] };
    const golden = await openSafetensors(bufferSource(processorFile(family, 'golden.safetensors')));
    let compared = 0;
    for (const [n, { text, images = [], videos, kwargs }] of inputs.entries()) {
      // What makes pictures is not asked for here.
      if (!text || videos || kwargs.generation_mode) continue;
      let next = 0;
      const samples = text.map((prompt, i) => {
        const own = images[i];
        const count = Array.isArray(own) ? own.length : countOf(prompt, model, own !== undefined);
        const flat = images.flat();
        const numbers = flat.slice(next, next + count);
        next += count;
        const answer = kwargs.suffix?.[i];
        return { prompt, images: numbers.map((k) => processorFile(family, names[k]!)), answer };
      });
      const processed = await model.processor.process(samples, { padding: kwargs.padding_side ?? 'right' });
      const ids = toInt32(await golden.read(`out.${n}.input_ids`));
      const { shape } = golden.tensors.get(`out.${n}.input_ids`)!;
      const mask = golden.tensors.has(`out.${n}.attention_mask`)
        ? toInt32(await golden.read(`out.${n}.attention_mask`))
        : ids.map(() => 1);
      const wanted = Array.from({ length: shape[0]! }, (_, b) => {
        const row = [...ids.subarray(b * shape[1]!, (b + 1) * shape[1]!)];
        const real = row.filter((_, t) => mask[b * shape[1]! + t] === 1);
        // Aria's calls ask for the smaller of its sizes, which is half as many tokens.
        return real.flatMap((id) => (kwargs.max_image_size && id === model.imageTokenId ? [id, id] : [id]));
      });
      expect(rowsOf(processed), `call ${n}`).toEqual(wanted);
      // What the fusion counts is what the text holds.
      const fused = model.fuse(processed);
      fused.embeddings.dispose();
      fused.dispose?.();
      if (processed.images) disposeImages(processed.images);
      compared++;
    }
    expect(compared).toBeGreaterThan(0);
    await golden.close();
    model.dispose();
  });

  it('writes conversations as its class does, also where the template leaves out the start', async () => {
    for (const change of [
      (text: string) => text,
      (text: string) => text.replaceAll(/<s>|bos_token/g, "''"),
    ]) {
      const storage = await publishedFolder(family, { template: change });
      const folder = await openModelFolder(storage, { folder: 'model' });
      // Without a template there is no conversation in transformers either.
      if ((await folder.chatTemplate()) === undefined) return;
      const model = await loadModel(folder);
      const image = processorFile(family, '0-60x40.png');
      const content = [{ type: 'image', image } as const, { type: 'text', text: 'What is this?' } as const];
      const messages = [{ role: 'user', content } as const];
      const theirs = await processorFromHuggingFace(folder);
      const { input_ids } = await theirs({ messages }, { addGenerationPrompt: true });
      const ours = await model.processor.process([{ messages }], { padding: 'right' });
      expect(rowsOf(ours)).toEqual([[...(input_ids as { data: Int32Array }).data]]);
      disposeImages(ours.images!);
      model.dispose();
    }
  });

  it('answers a question about a picture', async () => {
    const model = await load(family);
    const image = processorFile(family, '0-60x40.png');
    await expectNoLeak(async () => {
      const stream = model.generate(
        {
          messages: [
            {
              role: 'user',
              content: [
                { type: 'image', image },
                { type: 'text', text: 'What is in this image?' },
              ],
            },
          ],
        },
        { maxNewTokens: 4, stopIds: [] },
      );
      const answer = await stream.result;
      expect(answer.ids).toHaveLength(4);
      expect(answer.text).toBe(model.processor.tokenizer.decode(answer.ids, { skipSpecialTokens: true }));
    });
    model.dispose();
  });
});

/** How many pictures a text of a call names; one where the class puts it in front by itself. */
function countOf(
  prompt: string,
  { processor, imageTokenId }: Awaited<ReturnType<typeof load>>,
  given: boolean,
): number {
  const named = processor.tokenizer.encode(prompt).filter((id) => id === imageTokenId).length;
  return named === 0 && given ? 1 : named;
}

it('NVLM-D gives from its published layout, with heads of zeros, what it gives from that of transformers', async () => {
  const files = fileStorage(
    fileURLToPath(new URL('../../../../fixtures/cases/nvlm-d/base', import.meta.url)),
  );
  const [plain, published] = await Promise.all(
    ['model', 'model-published'].map(async (folder) => loadModel(await openModelFolder(files, { folder }))),
  );
  expect(published!.countParameters()).toBeGreaterThan(plain!.countParameters());
  const golden = await openSafetensors(await files.open('golden.safetensors'));
  const data = toFloat32(await golden.read('in.pixel_values'));
  const images = densePictures({ data, shape: golden.tensors.get('in.pixel_values')!.shape });
  const [expected, given] = [plain!, published!].map((model) => model.encodeImages(images).features);
  await assertTensorsClose(given!, expected!, { tolerance: 1e-6 });
  const storage = memoryStorage();
  await published!.save(storage, 'again');
  const again = await openModelFolder(storage, { folder: 'again' });
  expect((await again.weights()).shape('vision_model.encoder.layers.0.attn.qkv.weight')).toEqual([144, 36]);
  tf.disposeVariables();
  tf.dispose([images.pixels, expected!, given!]);
  await golden.close();
});
