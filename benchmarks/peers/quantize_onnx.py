"""The 8-bit form of a decoder in ONNX, which transformers.js opens as dtype `q8`.

As transformers.js's own script makes it: onnxruntime's dynamic quantisation, weights of constant products in int8.
"""
import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic


def quantize(source, target):
    model = onnx.load(source)
    untie_head(model.graph)
    # The type of what fused operators give cannot be inferred.
    options = {"EnableSubgraph": True, "MatMulConstBOnly": True, "DefaultTensorType": onnx.TensorProto.FLOAT}
    quantize_dynamic(model, target, weight_type=QuantType.QInt8, extra_options=options)


def untie_head(graph):
    """Published files have a head of their own: only a product with a constant is quantised, not one with its transpose."""
    constants = {constant.name: constant for constant in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Transpose" and node.input[0] in constants]:
        [axes] = [list(attribute.ints) for attribute in node.attribute if attribute.name == "perm"]
        turned = numpy_helper.to_array(constants[node.input[0]]).transpose(axes)
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(turned), node.output[0]))
        graph.node.remove(node)
