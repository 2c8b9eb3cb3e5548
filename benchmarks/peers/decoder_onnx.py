"""A Llama of transformers as ONNX, with the inputs and outputs that transformers.js expects of a decoder."""
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from transformers import DynamicCache

OPSET = 18


def cache_names(config):
    kinds = [f"{i}.{kind}" for i in range(config.num_hidden_layers) for kind in ("key", "value")]
    return [f"past_key_values.{kind}" for kind in kinds], [f"present.{kind}" for kind in kinds]


class Decoder(torch.nn.Module):
    """Takes and gives the cache as plain tensors."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, position_ids, past):
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(past):
            cache.update(keys, values, layer)
        output = self.model(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, past_key_values=cache
        )
        return (output.logits, *(x for layer in cache.layers for x in (layer.keys, layer.values)))


def export_plain(model, path):
    """As torch.onnx writes it: plain operators, caches that grow by concatenation. The logits are cut afterwards."""
    config = model.config
    past, present = cache_names(config)
    shape = (2, config.num_key_value_heads, 7, config.head_dim)
    cache = [(torch.randn(shape), torch.randn(shape)) for _ in range(config.num_hidden_layers)]
    ids = torch.ones(2, 5, dtype=torch.long)
    mask = torch.ones(2, 12, dtype=torch.long)
    positions = torch.arange(7, 12).expand(2, 5)
    any_size = torch.export.Dim.DYNAMIC
    rows = {0: any_size, 1: any_size}
    grown = {0: any_size, 2: any_size}
    torch.onnx.export(
        Decoder(model).eval(),
        (ids, mask, positions, cache),
        str(path),
        input_names=["input_ids", "attention_mask", "position_ids", *past],
        output_names=["logits", *present],
        dynamic_shapes={
            "input_ids": rows,
            "attention_mask": rows,
            "position_ids": rows,
            "past": [(grown, grown)] * config.num_hidden_layers,
        },
        opset_version=OPSET,
        external_data=False,
        verbose=False,
    )
    exported = onnx.load(path)
    keep_last_logits(exported.graph)
    name_sizes(exported.graph, config)
    onnx.save(exported, path)


def keep_last_logits(graph):
    """Only the last `num_logits_to_keep` positions meet the head; 0 keeps all."""
    head = next(node for node in graph.node if node.output[0] == "logits")
    place = list(graph.node).index(head)
    for offset, node in enumerate(last_rows(head.input[0], "kept")):
        graph.node.insert(place + offset, node)
    head.input[0] = "kept"
    graph.input.append(helper.make_tensor_value_info("num_logits_to_keep", TensorProto.INT64, []))
    graph.initializer.extend(row_constants())


def last_rows(source, target):
    return [
        helper.make_node("Neg", ["num_logits_to_keep"], ["kept_negative"]),
        helper.make_node("Unsqueeze", ["kept_negative", "axis_0"], ["kept_start"]),
        helper.make_node("Slice", [source, "kept_start", "kept_end", "axis_1"], [target]),
    ]


def row_constants():
    values = {"axis_0": 0, "axis_1": 1, "kept_end": 2**62}
    return [numpy_helper.from_array(np.array([value], np.int64), name) for name, value in values.items()]


def name_sizes(graph, config):
    """transformers.js makes the first caches by these names: it fills in `batch_size` and takes 0 for all others."""
    del graph.value_info[:]
    named = {
        "input_ids": ["batch_size", "sequence_length"],
        "position_ids": ["batch_size", "sequence_length"],
        "attention_mask": ["batch_size", "total_sequence_length"],
        "logits": ["batch_size", "kept_logits", config.vocab_size],
        "num_logits_to_keep": [],
    }
    for value in [*graph.input, *graph.output]:
        length = "past_sequence_length" if value.name.startswith("past") else "total_sequence_length"
        cache = ["batch_size", config.num_key_value_heads, length, config.head_dim]
        kind = value.type.tensor_type.elem_type
        value.CopyFrom(helper.make_tensor_value_info(value.name, kind, named.get(value.name, cache)))


class FusedGraph:
    """Collects nodes and constants of a decoder in the operators that files for browsers are published with."""

    def __init__(self, model):
        self.config = model.config
        self.weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
        self.nodes, self.constants = [], row_constants()

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, operator, inputs, *outputs, contrib=False, **attributes):
        domain = "com.microsoft" if contrib else ""
        self.nodes.append(helper.make_node(operator, inputs, outputs, domain=domain, **attributes))
        return outputs[0]

    def linear(self, x, name, *layers):
        """One product for all of the layers."""
        joined = np.concatenate([self.weights[f"{layer}.weight"] for layer in layers])
        return self.node("MatMul", [x, self.constant(f"{name}.weight", joined.T)], name)

    def lengths(self):
        """Tokens so far, as GroupQueryAttention wants them: the index of the last one of each row, and their number."""
        self.node("ReduceSum", ["attention_mask", "axis_1"], "seen", keepdims=0)
        self.node("Sub", ["seen", self.constant("one", np.array(1))], "last_index")
        last = self.node("Cast", ["last_index"], "last_index32", to=TensorProto.INT32)
        self.node("Shape", ["attention_mask"], "mask_length", start=1, end=2)
        self.node("Squeeze", ["mask_length", "axis_0"], "length")
        return [last, self.node("Cast", ["length"], "length32", to=TensorProto.INT32)]

    def rotary(self):
        config = self.config
        frequencies = config.rope_parameters["rope_theta"] ** -(np.arange(0, config.head_dim, 2) / config.head_dim)
        angles = np.arange(config.max_position_embeddings)[:, None] * frequencies
        tables = {"cos": np.cos(angles), "sin": np.sin(angles)}
        return [self.constant(name, table.astype(np.float32)) for name, table in tables.items()]

    def norm_gain(self, name, path):
        return self.constant(name, self.weights[f"{path}.weight"])

    def skip_norm(self, x, added, name, path):
        """The norm of a sum, and the sum itself."""
        total = f"{name}.sum"
        inputs = [x, added, self.norm_gain(f"{name}.gain", path)]
        eps = self.config.rms_norm_eps
        normed = self.node(
            "SkipSimplifiedLayerNormalization", inputs, name, "", "", total, contrib=True, epsilon=eps
        )
        return normed, total

    def attention(self, normed, i, context):
        heads, key_heads = self.config.num_attention_heads, self.config.num_key_value_heads
        path = f"model.layers.{i}.self_attn"
        packed = self.linear(normed, f"qkv.{i}", *(f"{path}.{part}_proj" for part in "qkv"))
        past = [f"past_key_values.{i}.{kind}" for kind in ("key", "value")]
        present = [f"present.{i}.{kind}" for kind in ("key", "value")]
        attributes = {"num_heads": heads, "kv_num_heads": key_heads, "do_rotary": 1}
        inputs = [packed, "", "", *past, *context]
        mixed = self.node("GroupQueryAttention", inputs, f"mixed.{i}", *present, contrib=True, **attributes)
        return self.linear(mixed, f"attended.{i}", f"{path}.o_proj")

    def mlp(self, normed, i):
        path = f"model.layers.{i}.mlp"
        gate, up = (self.linear(normed, f"{part}.{i}", f"{path}.{part}_proj") for part in ("gate", "up"))
        silu = self.node("Mul", [gate, self.node("Sigmoid", [gate], f"sigmoid.{i}")], f"silu.{i}")
        gated = self.node("Mul", [silu, up], f"gated.{i}")
        return self.linear(gated, f"down.{i}", f"{path}.down_proj")

    def layers(self):
        """What leaves the last norm."""
        count, eps = self.config.num_hidden_layers, self.config.rms_norm_eps
        context = [*self.lengths(), *self.rotary()]
        table = self.constant("embeddings", self.weights["model.embed_tokens.weight"])
        x = self.node("Gather", [table, "input_ids"], "embedded")
        gain = self.norm_gain("norm.0.gain", "model.layers.0.input_layernorm")
        normed = self.node("SimplifiedLayerNormalization", [x, gain], "norm.0", axis=-1, epsilon=eps)
        for i in range(count):
            attended = self.attention(normed, i, context)
            normed, x = self.skip_norm(x, attended, f"mlp_norm.{i}", f"model.layers.{i}.post_attention_layernorm")
            following = f"model.layers.{i + 1}.input_layernorm" if i + 1 < count else "model.norm"
            normed, x = self.skip_norm(x, self.mlp(normed, i), f"norm.{i + 1}", following)
        return normed

    def model(self):
        self.nodes.extend(last_rows(self.layers(), "kept"))
        head = self.node("Transpose", ["embeddings"], "head", perm=[1, 0])
        self.node("MatMul", ["kept", head], "logits")
        past, present = cache_names(self.config)
        integers = [value(name, TensorProto.INT64) for name in ("input_ids", "attention_mask", "num_logits_to_keep")]
        floats = [[value(name, TensorProto.FLOAT) for name in names] for names in (past, ["logits", *present])]
        graph = helper.make_graph(self.nodes, "decoder", integers + floats[0], floats[1], self.constants)
        name_sizes(graph, self.config)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, ir_version=10, opset_imports=opsets)


def value(name, kind):
    return helper.make_tensor_value_info(name, kind, None)


def export_fused(model, path):
    """Packed query, key and value, GroupQueryAttention with its rotation and cache, and norms with the residual."""
    onnx.save(FusedGraph(model).model(), path)
