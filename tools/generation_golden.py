"""What transformers generates with a small decoder of the golden cases, in many ways.

    python tools/generation_golden.py fixtures/cases fixtures/generation/llama.json
"""
import json
import sys
from pathlib import Path

import torch
import transformers as T
from transformers.generation import (
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

cases, out = Path(sys.argv[1]), Path(sys.argv[2])
model = T.AutoModelForCausalLM.from_pretrained(cases / "decoder-llama/base/model", dtype=torch.float32).eval()
PROMPTS = [[5, 17, 9, 33, 70], [11, 3, 98], [64, 64, 7, 7, 7, 21, 9, 50]]
EOS = 31


def generate(prompts, **options):
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    config = T.GenerationConfig(do_sample=False, pad_token_id=0, bos_token_id=1, **{"eos_token_id": None, **options})
    with torch.no_grad():
        rows = model.generate(input_ids=ids, attention_mask=mask, generation_config=config)
    return [row[width:].tolist() for row in rows]


def frequent(prompt, count=20):
    """A token that greedy or beam search is likely to meet, for a stop token."""
    return generate([prompt], max_new_tokens=count)[0]


stops = sorted({token for prompt in PROMPTS for token in frequent(prompt)[4:9:2]})
runs = []


def add(name, prompts, ours, **theirs):
    runs.append(dict(name=name, prompts=prompts, options=ours, tokens=generate(prompts, **theirs)))


add("greedy", PROMPTS, dict(maxNewTokens=16), max_new_tokens=16)
for prompt in PROMPTS:
    add("repetition penalty", [prompt], dict(maxNewTokens=16, repetitionPenalty=1.3), max_new_tokens=16, repetition_penalty=1.3)
    add("repetition reward", [prompt], dict(maxNewTokens=8, repetitionPenalty=0.8), max_new_tokens=8, repetition_penalty=0.8)
    add("min new tokens", [prompt], dict(maxNewTokens=16, minNewTokens=12, stopIds=stops), max_new_tokens=16, min_new_tokens=12, eos_token_id=stops)
for beams in (2, 3, 5):
    add(f"{beams} beams", PROMPTS, dict(maxNewTokens=12, numBeams=beams), max_new_tokens=12, num_beams=beams)
    for penalty in (0.0, 1.0, 2.0, -1.0):
        for early in (False, True, "never"):
            add(
                f"{beams} beams, length penalty {penalty}, early stopping {early}", PROMPTS,
                dict(maxNewTokens=12, numBeams=beams, lengthPenalty=penalty, earlyStopping=early, stopIds=stops),
                max_new_tokens=12, num_beams=beams, length_penalty=penalty, early_stopping=early, eos_token_id=stops,
            )
add("beams with a penalty", PROMPTS[:1], dict(maxNewTokens=10, numBeams=3, repetitionPenalty=1.4), max_new_tokens=10, num_beams=3, repetition_penalty=1.4)


def guided(prompt, negative, scale, count):
    ids = torch.tensor([prompt])
    config = T.GenerationConfig(do_sample=False, pad_token_id=0, eos_token_id=None, max_new_tokens=count, guidance_scale=scale)
    with torch.no_grad():
        row = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=config, negative_prompt_ids=torch.tensor([negative]), negative_prompt_attention_mask=torch.ones(1, len(negative), dtype=torch.long))
    return row[0, len(prompt):].tolist()


guidance = [
    dict(prompt=PROMPTS[i], negative=negative, scale=scale, tokens=guided(PROMPTS[i], negative, scale, 10))
    for i, negative, scale in ((0, [8, 9], 1.5), (1, [44, 3, 60, 2], 3.0), (2, [12], 0.5))
]

# What is left of random logits: probabilities by token, and the token that each draw gives, likeliest first.
torch.manual_seed(5)
warped = []
for options in (
    dict(temperature=0.7), dict(temperature=1.0, topK=5), dict(temperature=1.3, topP=0.8), dict(temperature=1.0, minP=0.2),
    dict(temperature=0.9, topK=12, topP=0.7, minP=0.15), dict(temperature=2.0, topK=200, topP=0.05), dict(temperature=0.5, topK=1),
):
    logits = torch.randn(1, 40) * 2
    steps = LogitsProcessorList([TemperatureLogitsWarper(options["temperature"])])
    if "topK" in options:
        steps.append(TopKLogitsWarper(options["topK"]))
    if "topP" in options:
        steps.append(TopPLogitsWarper(options["topP"]))
    if "minP" in options:
        steps.append(MinPLogitsWarper(options["minP"]))
    probabilities = steps(None, logits.clone()).double().softmax(-1)[0]
    warped.append(dict(options=options, logits=logits[0].tolist(), probabilities=probabilities.tolist()))

out.parent.mkdir(parents=True, exist_ok=True)
out.write_text(json.dumps(dict(transformers=T.__version__, runs=runs, guidance=guidance, warped=warped)) + "\n")
print(f"{len(runs)} runs, {sum(len(t) for r in runs for t in r['tokens'])} tokens, stop tokens {stops}")
