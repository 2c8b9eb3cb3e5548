import type { HostArray } from '../host-array';

type Ints = HostArray<Int32Array>;
type Floats = HostArray<Float32Array>;

/**
 * What a processor returns, by transformers' names. B: texts; T: tokens of the longest. A class has those that its model
 * takes, and a call without pictures has none of theirs.
 */
export interface ProcessorArrays {
  /** int32[B, T] */
  input_ids?: Ints;
  /** int32[B, T]: 1 for tokens, 0 for padding. */
  attention_mask?: Ints;
  /** int32[B, T]: 1 for the second part of a pair; PaliGemma's suffix. */
  token_type_ids?: Ints;
  /** int32[B, T]: 1 for tokens of pictures, 2 for those of videos (Qwen2-VL). */
  mm_token_type_ids?: Ints;
  /** int32[B, T]: 1 for what the assistant says. */
  assistant_masks?: Ints;
  /** int32[B, T]: the ids that are to be learned, −100 elsewhere; not shifted. */
  labels?: Ints;
  /**
   * float32[views, 3, H, W], normalised. Views are pictures or all their tiles; LLaVA-NeXT has float32[pictures, most
   * tiles, 3, H, W], Llama 3.2 float32[B, most pictures, most tiles, 3, H, W], both filled with zeros; Qwen2-VL
   * float32[patches, 3 · frames · side · side].
   */
  pixel_values?: Floats;
  /** int32[views, H, W]: 1 where the picture is (Aria). */
  pixel_mask?: Ints;
  /** int32[pictures, 2], height and width: of the picture itself (LLaVA-NeXT), or resized (Pixtral, Emu3). */
  image_sizes?: Ints;
  /** int32[pictures, 3]: patches along time, height and width (Qwen2-VL). */
  image_grid_thw?: Ints;
  /** As `pixel_values`, of videos (Qwen2-VL). */
  pixel_values_videos?: Floats;
  /** int32[videos, 3] */
  video_grid_thw?: Ints;
  /** int32[B, most pictures]: which arrangement of tiles, from 1; 0 for a picture that is not there (Llama 3.2). */
  aspect_ratio_ids?: Ints;
  /** int32[B, most pictures, most tiles]: 1 for tiles that are there (Llama 3.2). */
  aspect_ratio_mask?: Ints;
  /** int32[B, T, most pictures, most tiles]: 1 where a token may attend to a tile (Llama 3.2). */
  cross_attention_mask?: Ints;
  /** float32[patches, side · side · 3]: of all pictures (Fuyu). */
  image_patches?: Floats;
}
