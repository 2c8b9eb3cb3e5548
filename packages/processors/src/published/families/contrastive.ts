import { viewsOf } from '../arrange';
import type { MakeFamily } from '../family';

/** CLIP and SigLIP: texts and pictures are independent of each other. */
export const contrastive: MakeFamily = () => ({
  images: ({ host }) => ({ pixel_values: viewsOf(host) }),
});
