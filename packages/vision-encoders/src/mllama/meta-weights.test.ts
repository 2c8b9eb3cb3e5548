import { startBackend } from '@mmllm/backends';
import { loadWeights } from '@mmllm/checkpoints';
import { WeightError } from '@mmllm/core';
import { beforeAll, expect, it } from 'vitest';
import { type GoldenTensor, memoryWeights, openCase } from '../testing/golden';
import { metaWeights, mllama } from './index';

beforeAll(() => startBackend({ backend: 'wasm' }));

/** What llama-models calls a tensor of the tower, in a file of Hugging Face's. */
function metaName(key: string): string {
  return key
    .replace('vision_model.', 'vision_model.vision_encoder.')
    .replace('patch_embedding', 'conv1._linear')
    .replace('gated_positional_embedding.embedding', 'positional_embedding')
    .replace('gated_positional_embedding.gate', 'gated_positional_embedding_gate')
    .replace('gated_positional_embedding.tile_embedding.weight', 'gated_positional_embedding')
    .replace(/(pre|post)_tile_positional_embedding/, '$1_tile_pos_embed')
    .replace('pos_embed.embedding.weight', 'pos_embed.embedding')
    .replace('.layernorm_', '.ln_')
    .replace('.layers.', '.resblocks.')
    .replace('self_attn.', 'attn.')
    .replace(/attn\.([qkvo])_proj/, 'attn.w$1')
    .replace('mlp.fc1', 'mlp.c_fc')
    .replace('mlp.fc2', 'mlp.c_proj')
    .replace('input_layernorm', 'ln_1')
    .replace('post_attention_layernorm', 'ln_2');
}

/** The tower of the case in Meta's layout; the value of a tile's place is 10 · row + column everywhere. */
async function metaFile() {
  const golden = await openCase('mllama/base');
  const file = new Map<string, GoldenTensor>();
  for (const key of golden.weights.keys()) {
    if (!key.startsWith('vision_model.')) continue;
    const [rows, ...others] = golden.weights.shape(key);
    const width = others.reduce((all, size) => all * size, 1);
    if (/tile.*embedding\.weight$/.test(key)) {
      const size = width / 4;
      const data = Float32Array.from({ length: 16 * size }, (_, i) => {
        const place = Math.floor(i / size);
        return 10 * Math.floor(place / 4) + (place % 4);
      });
      const shape = key.includes('gated') ? [4, 4, size / 36, 36] : [4, 4, 1, 36];
      file.set(metaName(key), { shape, data });
    } else {
      const shape = key.includes('patch_embedding') ? [rows, width] : [rows, ...others];
      file.set(metaName(key), { shape, data: await golden.weights.read(key) });
    }
  }
  file.set('text_model.norm.weight', { shape: [1], data: Float32Array.of(1) });
  file.set('vision_model.vision_projection.bias', { shape: [1], data: Float32Array.of(1) });
  return { golden, file };
}

it('loads Meta’s own names and layouts: every parameter is that of Hugging Face’s file, but for the tables', async () => {
  const { golden, file } = await metaFile();
  const config = mllama.checkpoint.config(golden.config);
  const names = mllama.checkpoint.names(config);
  const [ours, theirs] = [mllama(config), mllama(config)];
  await loadWeights(ours, metaWeights(memoryWeights(file), config), names);
  await loadWeights(theirs, golden.weights, names);
  for (const [path, parameter] of ours.namedParameters()) {
    if (path.endsWith('table.weight')) continue;
    expect(await parameter.read(), path).toEqual(await theirs.parameter(path).read());
  }
  ours.dispose();
  theirs.dispose();
});

it('gives each canvas the values of its tiles by their places, row by row', async () => {
  const { golden, file } = await metaFile();
  const config = mllama.checkpoint.config(golden.config);
  const encoder = mllama(config);
  await loadWeights(encoder, metaWeights(memoryWeights(file), config), mllama.checkpoint.names(config));
  for (const table of [encoder.preTile, encoder.postTile, encoder.tilePositions]) {
    const values = await table.table.weight.read();
    const size = values.length / 36;
    const ofTiles = Array.from({ length: 36 }, (_, tile) => values.subarray(tile * size, (tile + 1) * size));
    for (const tile of ofTiles) expect(new Set(tile).size).toBe(1);
    // Ids 0, then (1,1), (1,2), (1,3), (1,4), (2,1), (2,2), (3,1), (4,1) of rows and columns.
    expect(ofTiles.map((tile) => tile[0])).toEqual(
      [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 1, 2, 0],
        [0, 1, 2, 3],
        [0, 10, 0, 0],
        [0, 1, 10, 11],
        [0, 10, 20, 0],
        [0, 10, 20, 30],
      ].flat(),
    );
  }
  encoder.dispose();
});

it('refuses a file that lacks a tensor, by Hugging Face’s name', async () => {
  const { golden, file } = await metaFile();
  const config = mllama.checkpoint.config(golden.config);
  file.delete('vision_model.vision_encoder.ln_pre.bias');
  const encoder = mllama(config);
  const loading = loadWeights(
    encoder,
    metaWeights(memoryWeights(file), config),
    mllama.checkpoint.names(config),
  );
  await expect(loading).rejects.toThrow(WeightError);
  await expect(loading).rejects.toThrow('preNorm.bias');
});
