"""Writes the GGUF files below fixtures/gguf. Needs gguf (0.19 was used), numpy and safetensors.

    python tools/make_gguf_fixtures.py [FIXTURES]

types.gguf            random blocks of every type that we read, and metadata of every kind
types.safetensors     the values that the package gguf gives them
llama.gguf            the model of cases/decoder-llama/base as llama.cpp's converter writes it, in float32
llama-tied.gguf       a smaller one in F16, BF16, Q8_0 and Q4_1, without a head of its own
llama-tied.safetensors  its values, under Hugging Face's names and in the order of its rows
"""
import json, pathlib, sys
import numpy as np
import gguf
from gguf import GGMLQuantizationType as T, GGUFValueType as V
from safetensors.numpy import load_file, save_file

SEED = 5
TYPES = [T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q4_K, T.Q6_K]
# Where a block has float16 numbers: all other bytes may be anything.
HALVES = {T.Q8_0: [0], T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q4_K: [0, 2], T.Q6_K: [208]}
EDGES = np.array([0.0, -0.0, 2.0**-24, -(2.0**-20), 65504.0, -65504.0, 1.0], np.float16)


def random_blocks(rng, kind, shape):
    """Bytes of a tensor, uint8[..., bytes of a row], with scales of either sign and every size."""
    values, width = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (int(np.prod(shape)) // values, width), np.uint8)
    for at in HALVES[kind]:
        half = rng.normal(0, 0.1, len(blocks)).astype(np.float16)
        half[: len(EDGES)] = rng.permutation(EDGES)[: len(half)]
        blocks[:, at : at + 2] = half.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(*shape[:-1], -1)


def write_types(folder):
    rng = np.random.default_rng(SEED)
    writer = gguf.GGUFWriter(folder / "types.gguf", "test")
    expected = {}
    for kind in TYPES:
        shape = (3, 2, 512)
        if kind in HALVES:
            data = random_blocks(rng, kind, shape)
            writer.add_tensor(kind.name, data, raw_dtype=kind)
        else:
            data = gguf.quantize(rng.normal(size=shape).astype(np.float32), kind)
            writer.add_tensor(kind.name, data, raw_dtype=kind)
        expected[kind.name] = np.ascontiguousarray(gguf.dequantize(data, kind).astype(np.float32).reshape(shape))
    for kind, value in {
        V.UINT8: 200, V.INT8: -100, V.UINT16: 60_000, V.INT16: -30_000, V.UINT32: 4_000_000_000, V.INT32: -2_000_000_000,
        V.FLOAT32: 0.5, V.BOOL: True, V.STRING: "Grüße", V.UINT64: 2**63, V.INT64: -5, V.FLOAT64: 1e300,
    }.items():
        writer.add_key_value(f"test.{kind.name.lower()}", value, kind)
    writer.add_array("test.texts", ["a", "", "déjà"])
    writer.add_array("test.numbers", [1, 2, 3])
    finish(writer)
    save_file(expected, folder / "types.safetensors")


def interleave(rows, heads):
    """llama.cpp rotates neighbours, Hugging Face the two halves of a head: rows of queries and keys change places."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


LAYER = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
OUTSIDE = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}


def gguf_name(name):
    if name in OUTSIDE:
        return OUTSIDE[name]
    _, _, layer, *part, kind = name.split(".")
    return f"blk.{layer}.{LAYER['.'.join(part)]}.{kind}"


def write_llama(path, config, weights, kinds, template=None):
    """Writes a model, and returns its values as they are in the file, in Hugging Face's order."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list([f"<{i}>" for i in range(config["vocab_size"])])
    writer.add_token_types([1] * config["vocab_size"])
    writer.add_token_merges(["< 0", "0 >"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if template:
        writer.add_chat_template(template)
    stored = {}
    for at, (name, value) in enumerate(weights.items()):
        kind = T.F32 if value.ndim == 1 else kinds[at % len(kinds)]
        heads = config["num_attention_heads"] if "q_proj" in name else config["num_key_value_heads"] if "k_proj" in name else None
        data = gguf.quantize(interleave(value, heads) if heads else value, kind)
        writer.add_tensor(gguf_name(name), data, raw_dtype=kind)
        # Blocks lie within rows, so that quantising and changing rows may come in either order.
        stored[name] = np.ascontiguousarray(gguf.dequantize(gguf.quantize(value, kind), kind).astype(np.float32).reshape(value.shape))
    finish(writer)
    return stored


def write_tied(folder):
    config = {
        "num_hidden_layers": 2, "max_position_embeddings": 128, "hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4,
        "num_key_value_heads": 1, "rms_norm_eps": 1e-5, "rope_parameters": {"rope_theta": 50_000.0}, "head_dim": 16, "vocab_size": 40,
    }
    rng = np.random.default_rng(SEED)
    width, inner, keys = config["hidden_size"], config["intermediate_size"], config["num_key_value_heads"] * config["head_dim"]
    shapes = {"model.embed_tokens.weight": (config["vocab_size"], width)}
    for layer in range(config["num_hidden_layers"]):
        for part, shape in {
            "input_layernorm": (width,), "self_attn.q_proj": (width, width), "self_attn.k_proj": (keys, width),
            "self_attn.v_proj": (keys, width), "self_attn.o_proj": (width, width), "post_attention_layernorm": (width,),
            "mlp.gate_proj": (inner, width), "mlp.up_proj": (inner, width), "mlp.down_proj": (width, inner),
        }.items():
            shapes[f"model.layers.{layer}.{part}.weight"] = shape
    shapes["model.norm.weight"] = (width,)
    weights = {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    stored = write_llama(folder / "llama-tied.gguf", config, weights, [T.Q8_0, T.Q4_1, T.F16, T.BF16])
    save_file(stored, folder / "llama-tied.safetensors")


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    fixtures = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "fixtures"
    folder = fixtures / "gguf"
    folder.mkdir(exist_ok=True)
    write_types(folder)
    model = fixtures / "cases/decoder-llama/base/model"
    config = json.loads((model / "config.json").read_text())
    write_llama(folder / "llama.gguf", config, load_file(model / "model.safetensors"), [T.F32])
    write_tied(folder)


if __name__ == "__main__":
    main()
