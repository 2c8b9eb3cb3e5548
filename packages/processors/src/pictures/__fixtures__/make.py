"""Makes the pictures of this folder and what Pillow reads from them. Run with Pillow 12 and numpy: python make.py

expected.json holds, for each file, the size and the SHA-256 of the bytes of exif_transpose(image).convert("RGB"), and of
those of the picture over white, as MllamaImageProcessor lays it. The profile in profile.png is any but sRGB (Display P3):
it must make no difference, and comes from the file that is there.
"""
import hashlib, json, pathlib, struct, zlib
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
    "profile.png": (smooth, {"icc_profile": Image.open(here / "profile.png").info["icc_profile"]}), "turned.png": (smooth, {"exif": turned}),
    "full.jpg": (smooth, {"quality": 90, "subsampling": 0}), "half.jpg": (smooth, {"quality": 70, "subsampling": 2}),
    "progressive.jpg": (smooth, {"progressive": True}), "grey.jpg": (smooth.convert("L"), {}), "turned.jpg": (smooth, {"exif": turned, "quality": 90}),
    "mirrored.jpg": (smooth, {"exif": mirrored, "quality": 90}), "lossy.webp": (smooth, {"quality": 80}), "rgba.webp": (translucent, {"lossless": True, "exact": True}),
    "still.gif": (smooth.quantize(64), {}), "moving.gif": (palette, {"save_all": True, "append_images": [noise.quantize(16)]}),
}

def exif(orientation):
    block = Image.Exif(); block[0x0112] = orientation
    return block


cmyk = Image.fromarray(np.stack([(x * 8) % 256, (y * 11) % 256, (x * y) % 256, (x + y) * 4 % 256], -1).astype(np.uint8), "CMYK")
small = Image.new("RGBA", (W, H)); small.paste(translucent.crop((5, 4, 20, 15)), (5, 4))
files |= {
    "cmyk.jpg": (cmyk, {"quality": 90}), "cmyk-progressive.jpg": (cmyk, {"progressive": True}), "halfwide.jpg": (smooth, {"quality": 80, "subsampling": 1}),
    "rgba-lossy.webp": (translucent, {"quality": 70}), "moving.webp": (translucent, {"save_all": True, "append_images": [noise], "lossless": True}),
    "clear.gif": (palette, {"transparency": 3}), "clear.png": (smooth.convert("RGB"), {"transparency": smooth.getpixel((3, 4))}),
    **{f"exif-{i}.jpg": (smooth, {"exif": exif(i), "quality": 90}) for i in range(1, 9)}, **{f"exif-{i}.png": (smooth, {"exif": exif(i)}) for i in range(2, 9)},
}

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(samples, depth):
    """Rows of samples as bytes, each filtered by the next of the five filters."""
    bits = max(1, samples.shape[-1] * depth // 8)
    previous, out = None, b""
    for number, row in enumerate(samples.reshape(len(samples), -1)):
        if depth == 16:
            raw = row.astype(">u2").tobytes()
        else:
            raw = np.packbits(np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - depth:].reshape(-1)).tobytes()
        above, kind, line = previous or bytes(len(raw)), number % 5, []
        for i, value in enumerate(raw):
            a, b, c = raw[i - bits] if i >= bits else 0, above[i], above[i - bits] if i >= bits else 0
            nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            line.append((value - [0, a, b, (a + b) // 2, nearest][kind]) % 256)
        out, previous = out + bytes([kind, *line]), raw
    return out


def png(depth, colour, interlaced=False, extra=b"", seed=0):
    samples = np.random.default_rng(seed).integers(0, 2**depth, (H, W, CHANNELS[colour]))
    samples[:6] = samples[0, 0]
    parts = [samples[y0::dy, x0::dx] for x0, y0, dx, dy in ADAM7] if interlaced else [samples]
    raw = zlib.compress(b"".join(packed(part, depth) for part in parts))
    header = struct.pack(">IIBBBBB", W, H, depth, colour, 0, 0, interlaced)
    data = chunk(b"IDAT", raw[:100]) + chunk(b"IDAT", raw[100:])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + data + chunk(b"IEND", b"")


colours = np.random.default_rng(9).integers(0, 256, (256, 3)).astype(np.uint8).tobytes()
written = {}
for colour, depths in {0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16]}.items():
    for depth in depths:
        plte = chunk(b"PLTE", colours[:3 * min(2**depth, 200)]) if colour == 3 else b""
        written[f"type{colour}-{depth}.png"] = png(depth, colour, False, plte)
        written[f"type{colour}-{depth}-interlaced.png"] = png(depth, colour, True, plte)
first = lambda depth, count: [int(v) for v in np.random.default_rng(0).integers(0, 2**depth, (H, W, count))[0, 0]]
for colour, depth in [(0, 1), (0, 2), (0, 8), (0, 16), (2, 8), (2, 16)]:
    values = first(depth, CHANNELS[colour])
    written[f"type{colour}-{depth}-clear.png"] = png(depth, colour, False, chunk(b"tRNS", struct.pack(f">{len(values)}H", *values)))
written["type3-8-clear.png"] = png(8, 3, False, chunk(b"PLTE", colours) + chunk(b"tRNS", bytes(range(0, 250, 2))))
# Gamma, chromaticities, a rendering intent and a background: none of them may be heeded.
heedless = chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
written["gamma.png"] = png(8, 2, False, heedless)
written["srgb.png"] = png(8, 6, False, chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"sRGB", b"\0") + chunk(b"bKGD", struct.pack(">3H", 1, 2, 3)))
# A frame of a GIF that is smaller than its canvas.
small.convert("P").save(here / "offset.gif"); gif = bytearray((here / "offset.gif").read_bytes())
gif[6:10] = struct.pack("<HH", W + 9, H + 5); written["offset.gif"] = bytes(gif)
for name, data in written.items():
    (here / name).write_bytes(data)


def over_white(image):
    if image.mode == "RGB" and image.info.get("transparency") is None:
        return image
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, (255, 255, 255)), rgba).convert("RGB")


def digest(image):
    return hashlib.sha256(image.tobytes()).hexdigest()


expected = {}
for name, (image, options) in files.items():
    image.save(here / name, **options)
for name in [*files, *written]:
    rgb = ImageOps.exif_transpose(Image.open(here / name)).convert("RGB")
    white = over_white(ImageOps.exif_transpose(Image.open(here / name)))
    expected[name] = {"width": rgb.width, "height": rgb.height, "sha256": digest(rgb), "overWhite": digest(white)}
(here / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")
