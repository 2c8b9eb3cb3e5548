import { patchEncoder } from '../shared/patch-encoder';

export type { PatchEncoder, PatchEncoderConfig } from '../shared/patch-encoder';

/**
 * The convolution whose stride is its kernel, as the papers draw it (Dosovitskiy et al. 2020, arXiv:2010.11929): pictures
 * of one size to float32[patches, hiddenSize]. `patchLinear` gives the same values by a matrix product, faster.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const patchConv = patchEncoder('patch-conv', 'convolution');
