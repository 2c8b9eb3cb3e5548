import { startBackend } from '@mmllm/backends';
import { loadWeights, saveWeights, type WeightSource } from '@mmllm/checkpoints';
import { compareTensors } from '@mmllm/conformance';
import { ConfigError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { clipModelNames } from '../clip';
import { type GoldenTensor, memoryWeights, openCase } from '../testing/golden';
import { keysOf } from '../testing/saved';
import { ClipModel, clip, clipText, openClipConfig, openClipModelNames, openClipVisionNames } from './index';

beforeAll(() => startBackend({ backend: 'wasm' }));

/** The case open-clip-gelu in the words of open_clip. */
const json = {
  model_cfg: {
    embed_dim: 16,
    vision_cfg: { image_size: 42, layers: 2, width: 40, head_width: 8, mlp_ratio: 3, patch_size: 14 },
    text_cfg: { context_length: 12, vocab_size: 96, width: 24, heads: 3, layers: 2, mlp_ratio: 2 },
  },
  preprocess_cfg: { mean: [0.5, 0.5, 0.5] },
};

const config = openClipConfig(json);

function build(): ClipModel {
  const { projectionSize } = config;
  return new ClipModel({ vision: clip(config.vision), text: clipText(config.text), projectionSize });
}

/** The weights of the case under open_clip's names: the model with Hugging Face's weights, saved. */
async function nativeWeights(): Promise<WeightSource> {
  const golden = await openCase('clip/open-clip-gelu');
  const model = build();
  await loadWeights(model, golden.weights, clipModelNames(config.vision));
  const tensors = new Map<string, GoldenTensor>();
  for (const [key, { shape, read }] of saveWeights(model, openClipModelNames(config))) {
    tensors.set(key, { shape, data: (await read()) as Float32Array });
  }
  model.dispose();
  return memoryWeights(tensors);
}

describe('open_clip', () => {
  it('has the names and layouts of its own files', async () => {
    const golden = await openCase('clip/open-clip-gelu');
    const weights = await nativeWeights();
    const keys = [...weights.keys()];
    expect(keys).toContain('visual.transformer.resblocks.1.attn.in_proj_weight');
    expect(keys).toContain('transformer.resblocks.0.mlp.c_fc.bias');
    expect(weights.shape('visual.transformer.resblocks.0.attn.in_proj_weight')).toEqual([120, 40]);
    expect(weights.shape('visual.conv1.weight')).toEqual([40, 3, 14, 14]);
    // Matrices that stand on the right of their product: [in, out].
    expect(weights.shape('visual.proj')).toEqual([40, 16]);
    expect(weights.shape('text_projection')).toEqual([24, 16]);
    const theirs = await golden.weights.read('visual_projection.weight');
    const ours = await weights.read('visual.proj');
    expect(ours[1 * 16 + 2]).toBe(theirs[2 * 40 + 1]);
    const value = await golden.weights.read('vision_model.encoder.layers.1.self_attn.v_proj.weight');
    const packed = await weights.read('visual.transformer.resblocks.1.attn.in_proj_weight');
    expect(packed.subarray(2 * 40 * 40)).toEqual(value);
  });

  it('gives the logits of the case', async () => {
    const golden = await openCase('clip/open-clip-gelu');
    const model = build();
    await loadWeights(model, await nativeWeights(), openClipModelNames(config));
    const batch = golden.images('in.pixels');
    // Its end of text is the highest id of the vocabulary, the case's is 94: it stands where the highest id does.
    const logits = tf.tidy(() =>
      model.logits(model.imageEmbeddings(batch), model.textEmbeddings(golden.ids('in.ids'))),
    );
    const expected = golden.tensor('out.logits_per_image');
    expect(await compareTensors(logits, expected, golden)).toMatchObject({ ok: true });
    tf.dispose([logits, batch.pixels]);
    model.dispose();
  });

  it('loads the image tower alone', async () => {
    const tower = clip(config.vision);
    const report = await loadWeights(tower, await nativeWeights(), openClipVisionNames(config.vision));
    expect(report.loaded).toHaveLength([...tower.namedParameters()].length);
    tower.dispose();
  });

  it('counts ViT-H-14 and ViT-bigG-14 by their published configurations', () => {
    const model = (vision_cfg: object, text_cfg: object, embed_dim: number) => {
      const { vision, text, projectionSize } = openClipConfig({ embed_dim, vision_cfg, text_cfg });
      return new ClipModel({ vision: clip(vision), text: clipText(text), projectionSize });
    };
    const huge = model(
      { image_size: 224, layers: 32, width: 1280, head_width: 80, patch_size: 14 },
      { context_length: 77, vocab_size: 49_408, width: 1024, heads: 16, layers: 24 },
      1024,
    );
    expect(huge.countParameters()).toBe(986_109_441);
    const big = model(
      { image_size: 224, layers: 48, width: 1664, head_width: 104, mlp_ratio: 4.9231, patch_size: 14 },
      { context_length: 77, vocab_size: 49_408, width: 1280, heads: 20, layers: 32 },
      1280,
    );
    // open_clip's table of models counts the projection with the tower: 1844.91 million.
    const tower = big.vision.countParameters() + big.visualProjection.countParameters();
    expect(tower / 1e6).toBeCloseTo(1844.91, 2);
  });

  it('takes quick_gelu where the file says so, the exact one otherwise', () => {
    expect(config.vision.activation).toBe('gelu');
    const quick = openClipConfig({ ...json.model_cfg, quick_gelu: true });
    expect([quick.vision.activation, quick.text.activation]).toEqual(['quick_gelu', 'quick_gelu']);
  });

  it('refuses towers that are built otherwise', () => {
    const { model_cfg } = json;
    const timm = { ...model_cfg, vision_cfg: { timm_model_name: 'vit_base_patch16_siglip_224' } };
    const pooled = { ...model_cfg, vision_cfg: { ...model_cfg.vision_cfg, attentional_pool: true } };
    const bert = { ...model_cfg, text_cfg: { hf_model_name: 'roberta-base' } };
    for (const file of [timm, pooled, bert, {}, null, [1]]) {
      expect(() => openClipConfig(file)).toThrow(ConfigError);
    }
  });

  it('maps no two parameters to one tensor but the packed ones', () => {
    const names = openClipModelNames(config);
    const keys = keysOf(build(), names);
    expect(keys).not.toContain(undefined);
    const shared = keys.filter((key, i) => keys.indexOf(key) !== i);
    expect(shared.every((key) => key?.includes('in_proj'))).toBe(true);
  });
});
