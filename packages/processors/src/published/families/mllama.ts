import { ConfigError } from '@mmllm/core';
import type { HostArray } from '../../host-array';
import { tileGrids } from '../../prepare/grid';
import { dense, filledGroups, viewsOf } from '../arrange';
import type { ProcessorArrays } from '../arrays';
import { type Edit, insertion } from '../edits';
import type { FamilyImages, MakeFamily } from '../family';

/**
 * Llama 3.2 Vision: pictures take no room in the text; a mask says which tokens attend to which tiles.
 *
 * The start token is put behind leading image tokens where a text has none, and the tokenizer adds its own all the
 * same, as in transformers.
 */
export const mllama: MakeFamily = ({ tokenizer, preprocessing }) => {
  if (preprocessing.kind !== 'canvas') {
    throw new ConfigError({
      component: 'MllamaProcessor',
      expected: 'MllamaImageProcessor',
      actual: `one of kind '${preprocessing.kind}'`,
    });
  }
  const { maxTiles } = preprocessing;
  const { image_token: imageToken = '<|image|>', bos_token: bos = '' } = tokenizer.specialTokens;
  const imageId = tokenizer.tokenId(imageToken);
  return {
    imageToken,
    layout: (texts) =>
      texts.map((text): Edit[] => {
        if (text.includes(bos)) return [];
        let at = 0;
        while (text.startsWith(imageToken, at)) at += imageToken.length;
        return [insertion(at, bos)];
      }),
    images: (images) => tilesOf(images, maxTiles),
    tokens: ({ input_ids }, images): ProcessorArrays =>
      images ? { cross_attention_mask: attentionMask(input_ids, imageId, images, maxTiles) } : {},
  };
};

const numTiles = ({ tiles }: FamilyImages['host']['images'][number]) =>
  tiles ? tiles.rows * tiles.columns : 1;

/** float32[B, pictures, tiles, 3, side, side] and what its tiles are, filled up to the most pictures of a sample. */
function tilesOf({ host, perSample }: FamilyImages, maxTiles: number): ProcessorArrays {
  const most = Math.max(...perSample);
  const { data, shape } = filledGroups(
    viewsOf(host),
    perSample.map((count) => count * maxTiles),
  );
  const [, , ...view] = shape;
  const ids = new Int32Array(perSample.length * most);
  const mask = new Int32Array(ids.length * maxTiles);
  const grids = tileGrids(1, maxTiles);
  // A picture that is not there has no id, and its first tile counts.
  for (let i = 0; i < ids.length; i++) mask[i * maxTiles] = 1;
  let next = 0;
  perSample.forEach((count, sample) => {
    for (let i = sample * most; i < sample * most + count; i++) {
      const image = dense(host).images[next++];
      const { rows, columns } = image.tiles!;
      ids[i] = 1 + grids.findIndex((grid) => grid.rows === rows && grid.columns === columns);
      mask.fill(1, i * maxTiles, i * maxTiles + numTiles(image));
    }
  });
  return {
    pixel_values: { data, shape: [perSample.length, most, maxTiles, ...view] },
    aspect_ratio_ids: { data: ids, shape: [perSample.length, most] },
    aspect_ratio_mask: { data: mask, shape: [perSample.length, most, maxTiles] },
  };
}

/**
 * int32[B, T, pictures, tiles]: a picture may be attended to from its token up to the next picture's; neighbouring image
 * tokens share the later end. The last picture's part runs to the end of the row, padding included.
 */
function attentionMask(
  ids: HostArray<Int32Array>,
  imageId: number | undefined,
  { host, perSample }: FamilyImages,
  maxTiles: number,
): HostArray<Int32Array> {
  const [batch, length] = ids.shape;
  const most = Math.max(...perSample);
  const data = new Int32Array(batch * length * most * maxTiles);
  let next = 0;
  for (let b = 0; b < batch; b++) {
    const row = ids.data.subarray(b * length, (b + 1) * length);
    spansOf(row, imageId).forEach(([start, end], picture) => {
      const tiles = numTiles(host.images[next++]);
      for (let t = start; t < end; t++) {
        const at = ((b * length + t) * most + picture) * maxTiles;
        data.fill(1, at, at + tiles);
      }
    });
  }
  return { data, shape: [batch, length, most, maxTiles] };
}

/** Where each picture of a row may be attended to. */
function spansOf(row: Int32Array, imageId: number | undefined): [number, number][] {
  const starts = [...row.keys()].filter((t) => row[t] === imageId);
  const ends = [...starts.slice(1), row.length];
  for (let i = starts.length - 2; i >= 0; i--) if (ends[i] === starts[i] + 1) ends[i] = ends[i + 1];
  return starts.map((start, i) => [start, ends[i]]);
}
