import { type ArchitectureReader, towerAlone } from './architecture';
import { clipModel, siglipModel } from './contrastive';
import { decoderComponents, decoders } from './decoders';
import { llava } from './llava';
import { towers } from './towers';

/** Every known `model_type`. */
export const architectures: Readonly<Record<string, ArchitectureReader>> = {
  ...Object.fromEntries(
    Object.entries(towers).map(([type, tower]) => [type, (json) => towerAlone(tower(json))] as const),
  ),
  ...Object.fromEntries(
    Object.entries(decoders).map(
      ([type, decoder]) =>
        [type, (json) => ({ model: decoder(json), components: decoderComponents('') })] as const,
    ),
  ),
  clip: clipModel,
  siglip: siglipModel,
  llava,
};
