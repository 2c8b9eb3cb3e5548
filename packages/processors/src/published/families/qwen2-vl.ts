import { ConfigError } from '@mmllm/core';
import type { HostArray } from '../../host-array';
import { mergedPatches, stillPatches } from '../arrange';
import type { MakeFamily } from '../family';

/** Qwen2-VL: a token for every block of merged patches, of pictures and of videos. */
export const qwen2Vl: MakeFamily = ({ tokenizer, preprocessing }) => {
  if (preprocessing.kind !== 'packed') {
    throw new ConfigError({
      component: 'Qwen2VLProcessor',
      expected: 'Qwen2VLImageProcessor',
      actual: `one of kind '${preprocessing.kind}'`,
    });
  }
  const { patchSize: side, multiple, framesPerPatch: span = 1 } = preprocessing;
  const merge = multiple / side;
  const { image_token: imageToken = '<|image_pad|>', video_token: videoToken = '<|video_pad|>' } =
    tokenizer.specialTokens;
  const [imageId, videoId] = [imageToken, videoToken].map((token) => tokenizer.tokenId(token));
  return {
    imageToken,
    videoToken,
    placeholders: ({ host }) =>
      stillPatches(host, side, span).map(({ rows, columns }) =>
        imageToken.repeat((rows * columns) / (merge * merge)),
      ),
    images({ host }) {
      const { patches, grids } = mergedPatches(stillPatches(host, side, span), { side, merge, span });
      return { pixel_values: patches, image_grid_thw: grids };
    },
    tokens: ({ input_ids }) => ({ mm_token_type_ids: typesOf(input_ids, imageId, videoId) }),
  };
};

/** 1 for tokens of pictures, 2 for those of videos. */
function typesOf(
  { data, shape }: HostArray<Int32Array>,
  imageId?: number,
  videoId?: number,
): HostArray<Int32Array> {
  return { shape, data: data.map((id) => (id === imageId ? 1 : id === videoId ? 2 : 0)) };
}
