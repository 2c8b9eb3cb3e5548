"""PyTorch, eager, on the CPU or on CUDA, behind the protocol of ../src/protocol.ts: each line on stdin asks for a run."""
import base64
import json
import os
import pathlib
import resource
import sys
import time

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, CLIPVisionModelWithProjection, SiglipVisionModel
from transformers.utils import logging

from llava import Trainer

logging.disable_progress_bar()
WORK, SETTING = json.loads(sys.argv[1]), json.loads(sys.argv[2])
DEVICE = torch.device("cuda" if SETTING["backend"] == "webgpu" else "cpu")
if DEVICE.type == "cuda" and not torch.cuda.is_available():
    raise SystemExit("PyTorch finds no CUDA device")
torch.set_num_threads(SETTING["threads"])


def numbers(count, seed):
    """The numbers of ../src/inputs.ts."""
    values, state = [], seed
    for _ in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        values.append(state / 2**31 - 1)
    return torch.tensor(values, dtype=torch.float32)


def open_matmul():
    size, transpose = WORK["size"], WORK.get("transpose")
    a, b = (numbers(size * size, seed).view(size, size) for seed in (1, 2))
    # The values are those of the plain product; a transposed side lies as such.
    a = (a.t().contiguous().to(DEVICE).t() if transpose == "a" else a.to(DEVICE))
    b = (b.t().contiguous().to(DEVICE).t() if transpose == "b" else b.to(DEVICE))
    return lambda: {"values": a @ b}


def open_attention():
    shape = (1, WORK["heads"], WORK["length"], WORK["headSize"])
    count = shape[1] * shape[2] * shape[3]
    q, k, v = (numbers(count, seed).view(shape).to(DEVICE) for seed in (1, 2, 3))
    return lambda: {"values": torch.nn.functional.scaled_dot_product_attention(q, k, v)}


def open_vision(folder):
    pixels = load_file(folder / "golden.safetensors")["pixel_values"][: WORK["batch"]].to(DEVICE)
    is_clip = "clip" in folder.name
    kind = CLIPVisionModelWithProjection if is_clip else SiglipVisionModel
    model = kind.from_pretrained(folder, dtype=torch.float32).eval().to(DEVICE)
    output = "image_embeds" if is_clip else "pooler_output"
    return lambda: {"values": getattr(model(pixel_values=pixels), output)}


def open_decode(folder):
    golden = load_file(folder / "golden.safetensors")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval().to(DEVICE)
    prompt, count = golden["input_ids"].long().to(DEVICE), len(golden["tokens"])

    def run():
        tokens, past, ids = [], None, prompt
        while len(tokens) < count:
            out = model(ids, past_key_values=past, use_cache=True, logits_to_keep=1)
            past, ids = out.past_key_values, out.logits[:, -1].argmax(-1, keepdim=True)
            tokens.append(ids.item())
            if len(tokens) == 1:
                first, logits = time.perf_counter(), out.logits
        return {"tokens": tokens, "values": logits, "msPerToken": 1000 * (time.perf_counter() - first) / (count - 1)}

    return run


def open_train(folder):
    trainer = Trainer(folder, WORK["stage"], DEVICE)
    return lambda: {"values": torch.tensor([trainer.step()])}


def open_work():
    kind = WORK["kind"]
    if kind in ("matmul", "attention"):
        run = open_matmul() if kind == "matmul" else open_attention()
        return torch.inference_mode()(run)
    folder = pathlib.Path(SETTING["models"]) / WORK["model"]
    if kind == "train":
        return open_train(folder)
    return torch.inference_mode()(open_vision(folder) if kind == "vision" else open_decode(folder))


def answer(run):
    start = time.perf_counter()
    output = run()
    # On a GPU the time ends when the result is on the host, as it does for ours.
    values = output.pop("values").cpu().flatten()
    ms = 1000 * (time.perf_counter() - start)
    encoded = base64.b64encode(values.numpy().tobytes()).decode()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"ms": ms, "peakMegabytes": peak, "values": encoded, **output}


def main():
    run = open_work()
    with os.fdopen(3, "w", buffering=1) as answers:
        print(json.dumps({"ready": True}), file=answers)
        for _ in sys.stdin:
            print(json.dumps(answer(run)), file=answers)


main()
