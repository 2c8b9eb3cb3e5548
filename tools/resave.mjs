/**
 * Loads a folder in the layout of Hugging Face into our modules and saves it as another one, for
 * `tools/check-pretrained.py`: `node tools/resave.mjs FROM TO [--dtype F32|BF16|F16] [--max-shard-bytes N]`.
 * Takes CLIP, SigLIP, ViT and LLaVA-1.5. The packages must be built (`npm run setup`).
 */
import { basename, dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startBackend } from '../packages/backends/dist/index.js';
import {
  composeMaps,
  loadWeights,
  openModelFolder,
  prefixMap,
  saveModelFolder,
  saveWeights,
} from '../packages/checkpoints/dist/index.js';
import { fileStorage } from '../packages/checkpoints/dist/node.js';
import { composeModel } from '../packages/core/dist/index.js';
import { llama } from '../packages/decoders/dist/llama.js';
import { unified } from '../packages/fusion-unified/dist/index.js';
import { mlp } from '../packages/projectors/dist/index.js';
import { ClipModel, clip, clipModelNames, clipText } from '../packages/vision-encoders/dist/clip.js';
import {
  SiglipModel,
  siglip,
  siglipModelNames,
  siglipText,
} from '../packages/vision-encoders/dist/siglip.js';
import { vit } from '../packages/vision-encoders/dist/vit.js';

/** How LLaVA-1.5 names its parts; the first spelling of the tower is written, the older one loads too. */
function llavaNames(vision) {
  const projector = ['0', '1'].flatMap((layer, i) => [
    {
      ours: `projector.layers.${layer}.weight`,
      theirs: `multi_modal_projector.linear_${i + 1}.weight`,
      layout: 'linear',
    },
    { ours: `projector.layers.${layer}.bias`, theirs: `multi_modal_projector.linear_${i + 1}.bias` },
  ]);
  const towers = ['vision_tower', 'vision_tower.vision_model'];
  return composeMaps(
    prefixMap(clip.checkpoint.names(vision, towers), { ours: 'encoder' }),
    { rules: projector },
    prefixMap(llama.checkpoint.names(), { ours: 'decoder', theirs: 'language_model' }),
  );
}

/** Our modules and their names in the file, by the first entry of `architectures`. */
const builders = {
  CLIPModel(config) {
    const vision = clip.checkpoint.config(config);
    const text = clipText(clipText.checkpoint.config(config));
    const model = new ClipModel({ vision: clip(vision), text, projectionSize: config.projection_dim });
    return { model, names: clipModelNames(vision) };
  },
  SiglipModel(config) {
    const vision = siglip.checkpoint.config(config);
    const text = siglipText(siglipText.checkpoint.config(config));
    return { model: new SiglipModel({ vision: siglip(vision), text }), names: siglipModelNames(vision) };
  },
  ViTModel(config) {
    const vision = vit.checkpoint.config(config);
    return { model: vit(vision), names: vit.checkpoint.names(vision) };
  },
  async LlavaForConditionalGeneration(config) {
    const vision = clip.checkpoint.config(config);
    const decoder = llama(llama.checkpoint.config(config.text_config));
    const parts = { encoder: clip(vision), projector: mlp({ numLayers: 2 }), fusion: unified(), decoder };
    return { model: await composeModel(parts, { shapeOnly: true }), names: llavaNames(vision) };
  },
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { dtype: { type: 'string' }, 'max-shard-bytes': { type: 'string' } },
});
if (positionals.length !== 2) {
  console.error('node tools/resave.mjs FROM TO [--dtype F32|BF16|F16] [--max-shard-bytes N]');
  process.exit(1);
}
const [from, to] = positionals.map((path) => resolve(path));
await startBackend({ backend: 'cpu' });
const source = await openModelFolder(fileStorage(from));
const config = await source.config();
const build = builders[config.architectures?.[0]];
if (!build)
  throw new Error(`no module for ${config.architectures}; known: ${Object.keys(builders).join(', ')}`);
const { model, names } = await build(config);
await loadWeights(model, await source.weights(), names);
await saveModelFolder(fileStorage(dirname(to)), basename(to), {
  config,
  weights: saveWeights(model, names),
  dtype: values.dtype,
  maxShardBytes: values['max-shard-bytes'] && Number(values['max-shard-bytes']),
});
await source.close();
console.log(`${from}: ${model.countParameters()} parameters saved to ${to}`);
