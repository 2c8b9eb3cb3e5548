import { fileURLToPath } from 'node:url';
import { startBackend } from '@mmllm/backends';
import { openModelFolder, openSafetensors, toFloat32, toInt32 } from '@mmllm/checkpoints';
import { fileStorage } from '@mmllm/checkpoints/node';
import { assertTensorsClose } from '@mmllm/conformance';
import { disposeImages } from '@mmllm/core';
import { fromPixelValues, qwen2Vl } from '@mmllm/vision-encoders/qwen2-vl';
import { expect, it } from 'vitest';
import { loadModel } from './index';

it('Qwen2-VL sees the frames of a video as transformers does (tools/make_video_golden.py)', async () => {
  await startBackend({ backend: 'wasm' });
  const files = fileStorage(fileURLToPath(new URL('../../../fixtures/cases/qwen2-vl/base', import.meta.url)));
  const model = await loadModel(await openModelFolder(files, { folder: 'model' }));
  const golden = await openSafetensors(await files.open('video.safetensors'));
  const shapeOf = (name: string) => golden.tensors.get(name)!.shape;
  const ints = async (name: string) => toInt32(await golden.read(name));
  const { patchSize = 14, framesPerPatch = 2, mergeSize = 2 } = qwen2Vl.checkpoint.config(model.config);
  const images = fromPixelValues(
    {
      data: toFloat32(await golden.read('in.pixel_values_videos')),
      shape: shapeOf('in.pixel_values_videos'),
      grids: await ints('in.video_grid_thw'),
    },
    { patchSize, framesPerPatch, mergeSize },
  );
  const ids = { data: await ints('in.input_ids'), shape: shapeOf('in.input_ids') as [number, number] };
  const inputs = {
    ...{ ids, images, imagesPerSample: [1] },
    imageTokenId: model.config.video_token_id as number,
  };
  const fused = model.fuse(inputs);
  expect([...fused.positions.data]).toEqual([...(await ints('out.positions'))]);
  fused.embeddings.dispose();
  fused.dispose?.();
  const expected = { data: toFloat32(await golden.read('out.logits')), shape: shapeOf('out.logits') };
  const logits = model.forward(inputs);
  await assertTensorsClose(logits, expected, { tolerance: 1e-4 });
  logits.dispose();
  disposeImages(images);
  model.dispose();
  await golden.close();
});
