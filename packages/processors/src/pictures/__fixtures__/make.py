"""Makes the pictures of this folder and what Pillow reads from them. Run with Pillow 12 and numpy: python make.py PROFILE.icc

expected.json holds, for each file, the size and the SHA-256 of the bytes of exif_transpose(image).convert("RGB").
PROFILE.icc is any RGB profile other than sRGB (Display P3 here): it must make no difference.
"""
import hashlib, json, pathlib, sys
import numpy as np
from PIL import Image, ImageOps

here = pathlib.Path(__file__).parent
W, H = 31, 23
y, x = np.mgrid[0:H, 0:W]
smooth = Image.fromarray(np.stack([127 + 120 * np.sin(x / 9 + y / 17), 127 + 120 * np.cos(x / 23 - y / 7), (x * 255 / W + y * 255 / H) / 2], -1).astype(np.uint8))
noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (H, W, 3)).astype(np.uint8))
alpha = Image.fromarray(((x * 8 + y * 9) % 256).astype(np.uint8))
translucent = smooth.convert("RGBA"); translucent.putalpha(alpha)
grey_translucent = smooth.convert("LA"); grey_translucent.putalpha(alpha)
palette = smooth.quantize(16)
turned = Image.Exif(); turned[0x0112] = 6
mirrored = Image.Exif(); mirrored[0x0112] = 7

files = {
    "rgb.png": (noise, {}), "rgba.png": (translucent, {}), "grey.png": (smooth.convert("L"), {}), "grey-alpha.png": (grey_translucent, {}),
    "palette.png": (palette, {}), "palette-alpha.png": (palette, {"transparency": 3}), "one-bit.png": (smooth.convert("1"), {}),
    "profile.png": (smooth, {"icc_profile": pathlib.Path(sys.argv[1]).read_bytes()}), "turned.png": (smooth, {"exif": turned}),
    "full.jpg": (smooth, {"quality": 90, "subsampling": 0}), "half.jpg": (smooth, {"quality": 70, "subsampling": 2}),
    "progressive.jpg": (smooth, {"progressive": True}), "grey.jpg": (smooth.convert("L"), {}), "turned.jpg": (smooth, {"exif": turned, "quality": 90}),
    "mirrored.jpg": (smooth, {"exif": mirrored, "quality": 90}), "lossy.webp": (smooth, {"quality": 80}), "rgba.webp": (translucent, {"lossless": True, "exact": True}),
    "still.gif": (smooth.quantize(64), {}), "moving.gif": (palette, {"save_all": True, "append_images": [noise.quantize(16)]}),
}
expected = {}
for name, (image, options) in files.items():
    image.save(here / name, **options)
    rgb = ImageOps.exif_transpose(Image.open(here / name)).convert("RGB")
    expected[name] = {"width": rgb.width, "height": rgb.height, "sha256": hashlib.sha256(rgb.tobytes()).hexdigest()}
(here / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")
