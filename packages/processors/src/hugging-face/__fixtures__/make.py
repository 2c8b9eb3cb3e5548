"""What transformers 5.18.0 (its Pillow classes, Pillow 12) makes of pictures by unusual configurations.

The pictures are stripes that both sides compute. A case holds the configuration as it stands in a file, and of every
picture the sizes and the digest of its float32 values, with the channels last. python make.py > expected.json
"""

import hashlib, json
import numpy as np, transformers as T
from PIL import Image

SIZES = [(90, 60), (31, 57), (101, 23), (40, 40), (700, 4)]


def stripes(w, h):
    y, x, c = np.mgrid[0:h, 0:w, 0:3]
    return Image.fromarray(((x * x * 3 + y * 7 + c * 40 + (x * y) % 11 * 5) % 256).astype(np.uint8))


CASES = {
    "clip, another edge": dict(image_processor_type="CLIPImageProcessor", size=32, crop_size=24),
    "clip, smaller than the crop": dict(image_processor_type="CLIPFeatureExtractor", size={"shortest_edge": 20}, crop_size={"height": 24, "width": 27}),
    "clip, no normalisation": dict(image_processor_type="CLIPImageProcessorFast", size=16, crop_size=16, do_normalize=False, resample=0),
    "clip, straight": dict(image_processor_type="CLIPImageProcessor", size=[20, 28], do_center_crop=False, resample=1),
    "vit, old": dict(feature_extractor_type="ViTFeatureExtractor", size=24, image_mean=[0.1, 0.2, 0.3], do_rescale=False),
    "siglip": dict(image_processor_type="SiglipImageProcessorFast", size={"height": 17, "width": 23}, resample=4, rescale_factor=0.01, image_std=0.25),
    "llava, cut": dict(image_processor_type="LlavaImageProcessor", size={"shortest_edge": 24}, crop_size=24),
    "llava, padded": dict(image_processor_type="LlavaImageProcessor", do_pad=True, size={"height": 24, "width": 24}, crop_size=24, image_mean=[0.9, 0.5, 0.1]),
    "janus": dict(image_processor_type="JanusImageProcessor", size=31, min_size=5, background_color=[1, 2, 3]),
    "llava-next": dict(image_processor_type="LlavaNextImageProcessor", size={"shortest_edge": 20}, crop_size=20, image_grid_pinpoints=[[20, 20], [20, 60], [40, 40], [60, 20]]),
    "mllama": dict(image_processor_type="MllamaImageProcessor", size=20, max_image_tiles=6),
    "got-ocr2, whole": dict(image_processor_type="GotOcr2ImageProcessor", size={"height": 20, "width": 24}),
    "got-ocr2, tiles": dict(image_processor_type="GotOcr2ImageProcessor", size=20, crop_to_patches=True, min_patches=2, max_patches=7),
    "aria": dict(image_processor_type="AriaImageProcessor", max_image_size=490, min_image_size=200),
    "aria, split": dict(image_processor_type="AriaImageProcessor", max_image_size=490, split_image=True, split_resolutions=[[490, 700], [700, 490], [200, 980]]),
    "qwen2-vl": dict(image_processor_type="Qwen2VLImageProcessor", min_pixels=500, max_pixels=3000, patch_size=4, merge_size=3, temporal_patch_size=1),
    "pixtral": dict(image_processor_type="PixtralImageProcessor", size=50, patch_size=6),
    "emu3": dict(image_processor_type="Emu3ImageProcessor", min_pixels=600, max_pixels=1500, spatial_factor=4),
}


def last(values, config):
    values = np.asarray(values, np.float32)
    if config["image_processor_type" if "image_processor_type" in config else "feature_extractor_type"].startswith("Qwen2VL"):
        return values
    return np.moveaxis(values.reshape(-1, *values.shape[-3:]), 1, -1)


out = {}
for name, config in CASES.items():
    kind = config.get("image_processor_type", config.get("feature_extractor_type"))
    kind = kind.replace("FeatureExtractor", "ImageProcessor").replace("Fast", "")
    make = getattr(T, kind + "Pil", None) or getattr(T, kind)
    processor = make(**{k: v for k, v in config.items() if not k.endswith("_type")})
    pictures = []
    for w, h in SIZES:
        try:
            values = processor(images=[stripes(w, h)], return_tensors="np")
        except ValueError as error:
            pictures.append(dict(size=[w, h], error=str(error).splitlines()[0])); continue
        array = last(values["pixel_values"], config)
        if kind.startswith("Qwen2VL"):
            t, gh, gw = values["image_grid_thw"][0]
            m, p, f = processor.merge_size, processor.patch_size, processor.temporal_patch_size
            blocks = array.reshape(gh // m, gw // m, m, m, 3, f, p, p).transpose(0, 2, 1, 3, 5, 6, 7, 4)
            array = blocks.reshape(gh * gw, -1)
        if kind.startswith(("Pixtral", "Emu3")):
            p = 6 if kind.startswith("Pixtral") else 4
            _, H, W, _ = array.shape
            array = array.reshape(H // p, p, W // p, p, 3).transpose(0, 2, 1, 3, 4).reshape(-1, p * p * 3)
        digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        pictures.append(dict(size=[w, h], shape=list(array.shape), sha256=digest))
    out[name] = dict(config=config, pictures=pictures)
print(json.dumps(out, indent=1))
