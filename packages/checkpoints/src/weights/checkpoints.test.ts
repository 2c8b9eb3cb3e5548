import { describe, expect, it } from 'vitest';
import { streamSafetensors } from '../safetensors/encode';
import { openSafetensors } from '../safetensors/file';
import { readCase } from '../safetensors/fixtures';
import { bufferSource } from '../source';
import { hostModule } from './host-module';
import { shapeToOurs } from './layout';
import { loadWeights } from './load';
import { type NameMap, toOurs } from './name-map';
import { clipMap, llamaMap, siglipMap, vitMap } from './real-maps';
import { saveWeights } from './save';
import { safetensorsWeights, type WeightSource } from './source';

const CASES: [path: string, map: NameMap][] = [
  ['decoder-llama/base', llamaMap],
  ['clip/quick-gelu', clipMap(8)],
  ['clip/open-clip-gelu', clipMap(14)],
  ['siglip/base', siglipMap(14, 36)],
  ['vit/h14-layout', vitMap(14)],
];

const open = async (path: string) =>
  openSafetensors(bufferSource(readCase(`${path}/model/model.safetensors`), path));

/** A module with exactly the parameters that the map finds in a file. */
function moduleFor(source: WeightSource, map: NameMap) {
  const shapes: Record<string, number[]> = {};
  for (const key of source.keys()) {
    for (const { path, rule } of toOurs(map, key)) {
      const theirs = [...source.shape(key)];
      if (rule.rows) theirs[0] = rule.rows[1] - rule.rows[0];
      shapes[path] = shapeToOurs(rule, theirs)!;
    }
  }
  return hostModule(shapes);
}

describe.each(CASES)('the checkpoint %s', (path, map) => {
  it('fills a module wholly, and is written back byte for byte', async () => {
    const source = safetensorsWeights(await open(path));
    const module = moduleFor(source, map);
    const { parameters } = JSON.parse(new TextDecoder().decode(readCase(`${path}/case.json`))) as {
      parameters: number;
    };
    expect(module.countParameters()).toBe(parameters);

    const report = await loadWeights(module, source, map);
    expect(report).toMatchObject({ missing: [], unexpected: [] });
    expect(report.loaded.length).toBe([...module.namedParameters()].length);

    const chunks: Uint8Array[] = [];
    const entries = saveWeights(module, map);
    for await (const chunk of streamSafetensors(entries, { metadata: { format: 'pt' } })) chunks.push(chunk);
    const original = readCase(`${path}/model/model.safetensors`);
    expect(Buffer.compare(Buffer.concat(chunks), original)).toBe(0);
  });
});

describe('what is loaded', () => {
  it('is transposed, cut and reordered as the layouts say', async () => {
    const source = safetensorsWeights(await open('siglip/base'));
    const module = moduleFor(source, siglipMap(14, 36));
    await loadWeights(module, source, siglipMap(14, 36));

    const inProj = await source.read('vision_model.head.attention.in_proj_weight');
    const kProj = module.parameter('vision.head.kProj.weight');
    expect(kProj.shape).toEqual([36, 36]);
    expect(kProj.values![5 * 36 + 2]).toBe(inProj[(36 + 2) * 36 + 5]);

    const kernel = await source.read('vision_model.embeddings.patch_embedding.weight');
    const patches = module.parameter('vision.patches.weight');
    expect(patches.shape).toEqual([14 * 14 * 3, 36]);
    // Row 4, column 9, channel 2 of a patch, for output 7.
    expect(patches.values![((4 * 14 + 9) * 3 + 2) * 36 + 7]).toBe(kernel[((7 * 3 + 2) * 14 + 4) * 14 + 9]);

    expect(module.parameter('vision.head.probe').shape).toEqual([36]);
    expect(module.parameter('vision.head.probe').values).toEqual(
      await source.read('vision_model.head.probe'),
    );
  });
});
