import { patchEncoder } from '../shared/patch-encoder';

export type { PatchEncoder, PatchEncoderConfig } from '../shared/patch-encoder';

/**
 * Flattened patches through one linear layer: pictures of one size to float32[patches, hiddenSize], the smallest encoder
 * that learns. Its values and gradients are those of `patchConv` with the same weights.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const patchLinear = patchEncoder('patch-linear', 'linear');
