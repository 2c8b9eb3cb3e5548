/**
 * Loads a folder in the layout of Hugging Face into our modules and saves it as another one, for
 * `tools/check-pretrained.py`: `node tools/resave.mjs FROM TO [--dtype F32|BF16|F16] [--max-shard-bytes N]`.
 * Takes CLIP, SigLIP, ViT and every system of `@mmllm/models`. The packages must be built (`npm run setup`).
 */
import { basename, dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startBackend } from '../packages/backends/dist/index.js';
import {
  loadWeights,
  openModelFolder,
  saveModelFolder,
  saveWeights,
} from '../packages/checkpoints/dist/index.js';
import { fileStorage } from '../packages/checkpoints/dist/node.js';
import { composeSystem, systemOf } from '../packages/models/dist/index.js';
import { ClipModel, clip, clipModelNames, clipText } from '../packages/vision-encoders/dist/clip.js';
import {
  SiglipModel,
  siglip,
  siglipModelNames,
  siglipText,
} from '../packages/vision-encoders/dist/siglip.js';
import { vit } from '../packages/vision-encoders/dist/vit.js';

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
const build = builders[config.architectures?.[0]] ?? ((json) => composeSystem(systemOf(json), json));
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
