import '@tensorflow/tfjs-backend-cpu';
import { bufferSource, type FolderReader } from '@mmllm/checkpoints';
import { expect, it } from 'vitest';
import { changedTensors, fixtureFiles } from '../testing/case-files';
import { openParityCase, runParityCase } from '.';

async function run(files: FolderReader) {
  const golden = await openParityCase(files);
  return runParityCase(golden).finally(golden.close);
}

/** The case with other keys in its `preprocessor_config.json`. */
function configured(name: string, keys: Record<string, unknown>): FolderReader {
  const files = fixtureFiles(name);
  return {
    ...files,
    async open(file) {
      const source = await files.open(file);
      if (file !== 'preprocessor_config.json') return source;
      const json = JSON.parse(new TextDecoder().decode(await source.read(0, source.size)));
      return bufferSource(new TextEncoder().encode(JSON.stringify({ ...json, ...keys })), file);
    },
  };
}

it.each([
  ['images-clip/base', { resample: 2 }],
  ['images-mllama/base', { image_mean: [0.5, 0.5, 0.5] }],
  ['images-qwen2-vl/base', { merge_size: 1 }],
  ['images-pixtral/base', { image_mean: [0.5, 0.5, 0.5] }],
  ['images-fuyu/base', { padding_value: 2 }],
  ['images-aria/base', { min_image_size: 350 }],
  ['images-mm15/base', { max_tiles: 8 }],
  ['images-nvlm/base', { use_thumbnail: false }],
  ['images-molmo/base', { image_std: [0.5, 0.5, 0.5] }],
])('%s fails with another %o', async (name, keys) => {
  const { pass, worst } = await run(configured(name, keys));
  expect(pass).toBe(false);
  expect(worst!.error).toBeGreaterThan(worst!.tolerance);
});

it('names an array that the family does not have', async () => {
  const result = await run(
    changedTensors(fixtureFiles('images-clip/base'), 'golden.safetensors', (tensors) => {
      tensors.set('out.0.pixel_mask', tensors.get('out.0.pixel_values')!);
    }),
  );
  expect(result.pass).toBe(false);
  expect(result.message).toContain("out.0.pixel_mask: expected one of pixel_values, got 'pixel_mask'");
});
