"""What transformers computes for a video between texts, with the Qwen2-VL of the golden cases.

    python tools/make_video_golden.py fixtures/cases/qwen2-vl/base
"""
import sys
from pathlib import Path

import torch
import transformers as T
from safetensors.torch import save_file

case = Path(sys.argv[1])
model = T.Qwen2VLForConditionalGeneration.from_pretrained(case / "model", dtype=torch.float32).eval()
vision = model.config.vision_config
START, END, VIDEO = model.config.vision_start_token_id, model.config.vision_end_token_id, model.config.video_token_id

torch.manual_seed(8)
grid = torch.tensor([[3, 4, 6]])  # six frames, two to a patch
merged = int(grid.prod()) // vision.spatial_merge_size**2
row = [1, 40, START] + [VIDEO] * merged + [END] + [50, 60, 70, 80]
ids = torch.tensor([row])
patch = 3 * vision.temporal_patch_size * vision.patch_size**2
pixels = torch.randn(int(grid.prod()), patch)
types = (ids == VIDEO).int() * 2
mask = torch.ones_like(ids)
with torch.no_grad():
    logits = model(input_ids=ids, pixel_values_videos=pixels, video_grid_thw=grid, attention_mask=mask, mm_token_type_ids=types).logits
    positions, _ = model.model.get_rope_index(ids, mm_token_type_ids=types, video_grid_thw=grid, attention_mask=mask)
save_file(
    {
        "in.input_ids": ids.int(),
        "in.pixel_values_videos": pixels,
        "in.video_grid_thw": grid.int(),
        "out.positions": positions.int().contiguous(),
        "out.logits": logits,
    },
    str(case / "video.safetensors"),
)
