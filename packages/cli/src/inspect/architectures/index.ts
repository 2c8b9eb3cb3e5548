import { composeClip, composeSiglip, decoders, systems, type TwoTowerSystem, towers } from '@mmllm/models';
import { emu3Vq, janusVq } from '@mmllm/vq-tokenizer';
import { type ArchitectureReader, decoderComponents, largestPicture, towerAlone } from './architecture';
import { system } from './system';

const twoTowers =
  (compose: (json: Parameters<ArchitectureReader>[0]) => TwoTowerSystem): ArchitectureReader =>
  (json) => {
    const { model, vision } = compose(json);
    const components = [
      ['vision', 'vision.'],
      ['text', 'text.'],
    ] as const;
    return { model, components, picture: largestPicture(vision) };
  };

/** A tokenizer of pictures alone. */
const tokenizerComponents = [
  ['encoder', /^(encoder|temporalEncoder|quant)/],
  ['codebook', 'codebook.'],
  ['decoder', /^(decoder|temporalDecoder|postQuant)/],
] as const;

/** Every known `model_type`. */
export const architectures: Readonly<Record<string, ArchitectureReader>> = {
  ...Object.fromEntries(
    Object.entries(towers).map(([type, tower]) => [type, (json) => towerAlone(tower(json).part)] as const),
  ),
  ...Object.fromEntries(
    Object.entries(decoders).map(
      ([type, decoder]) =>
        [type, (json) => ({ model: decoder(json).part, components: decoderComponents('') })] as const,
    ),
  ),
  clip: twoTowers(composeClip),
  siglip: twoTowers(composeSiglip),
  janus_vqgan: (json) => ({
    model: janusVq(janusVq.checkpoint.config(json)),
    components: tokenizerComponents,
  }),
  emu3_vqgan: (json) => ({
    model: emu3Vq(emu3Vq.checkpoint.config(json)),
    components: tokenizerComponents,
  }),
  ...Object.fromEntries(systems.map(({ modelType }) => [modelType, system])),
};
