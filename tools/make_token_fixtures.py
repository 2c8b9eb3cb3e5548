"""Writes fixtures/tokens: a small random model laid out as SmolLM2-135M-Instruct, and what transformers answers with it.

    python tools/make_token_fixtures.py [FIXTURES]

model.gguf         Q8_0 and Q4_1, tied embeddings, with the chat template
model.safetensors  the values of that file in float32, with config.json and the tokenizer's files around it
expected.json      ids of prompts in the chat's format, greedy tokens after them, and the margins of their logits

Needs torch, transformers, gguf and safetensors. The tokenizer is that of cases/tokenizer-smollm2, trained anew on few words.
"""
import json, pathlib, sys
import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from safetensors.numpy import save_file
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

ROOT = pathlib.Path(__file__).parent.parent
sys.path += [str(ROOT / "tools"), str(ROOT / "benchmarks/peers")]
from greedy_tokens import answers
from make_gguf_fixtures import write_llama

SEED, COUNT, VOCABULARY = 11, 24, 384


def small_tokenizer(prompts, folder):
    """Fewer merges, the same parts around them and the same special tokens in front."""
    released = ROOT / "fixtures/cases/tokenizer-smollm2/base"
    tokenizer = AutoTokenizer.from_pretrained(released).train_new_from_iterator(prompts, VOCABULARY)
    tokenizer.chat_template = (released / "chat_template.jinja").read_text()
    tokenizer.save_pretrained(folder)
    return tokenizer


def random_weights(config):
    """Wide enough that tokens depend on what came before: a tied model with small weights repeats its input."""
    rng = np.random.default_rng(SEED)
    values = {}
    for name, parameter in LlamaForCausalLM(config).state_dict().items():
        if name == "lm_head.weight":
            continue
        shape = tuple(parameter.shape)
        scale = 0.1 if len(shape) == 1 else 0.02 if "embed" in name else 1.5 * shape[1] ** -0.5
        noise = (scale * rng.normal(size=shape)).astype(np.float32)
        values[name] = 1 + noise if len(shape) == 1 else noise
    return values


def main():
    folder = (pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "fixtures") / "tokens"
    folder.mkdir(parents=True, exist_ok=True)
    prompts = json.loads((ROOT / "benchmarks/src/tokens/prompts.json").read_text())
    tokenizer = small_tokenizer(prompts, folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=96, intermediate_size=160, num_hidden_layers=3, num_attention_heads=6,
        num_key_value_heads=2, head_dim=16, max_position_embeddings=256, rms_norm_eps=1e-5, rope_theta=100_000.0,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=2, architectures=["LlamaForCausalLM"],
    )
    config.save_pretrained(folder)
    stored = write_llama(folder / "model.gguf", config.to_dict(), random_weights(config), [T.Q8_0, T.Q4_1], tokenizer.chat_template)
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    expected = answers(folder, prompts[:4], COUNT)
    for one in expected:
        # An answer of few tokens, or one that hangs on rounding, would show little.
        if len(set(one["tokens"])) < COUNT // 2 or min(one["margins"]) < 1e-3:
            raise SystemExit(f"try another seed: {one}")
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")


main()
