"""What transformers answers, in float32 on the CPU: python greedy_tokens.py MODEL PROMPTS.json COUNT, JSON on stdout.

For every prompt, through the chat template, the ids of the prompt, COUNT greedy tokens (also behind an end token), and
for each token how far its logit is above the second.
"""
import json
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

logging.disable_progress_bar()


def answer(model, tokenizer, prompt, count):
    messages = [{"role": "user", "content": prompt}]
    asked = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    settings = {"max_new_tokens": count, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
    out = model.generate(**asked, **settings)
    best = torch.stack([logits[0].topk(2).values for logits in out.logits])
    ids = asked["input_ids"][0].tolist()
    margins = (best[:, 0] - best[:, 1]).tolist()
    return {"prompt": prompt, "ids": ids, "tokens": out.sequences[0, len(ids) :].tolist(), "margins": margins}


def answers(folder, prompts, count):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        return [answer(model, tokenizer, prompt, count) for prompt in prompts]


if __name__ == "__main__":
    folder, prompts, count = sys.argv[1:]
    print(json.dumps(answers(folder, json.loads(pathlib.Path(prompts).read_text()), int(count))))
