"""Writes the network of vgg16_exported.json and vgg16_exported.h5 up to its last Dense, as ncnn and ONNX files.

Both want kernels with channels outermost (out, in, height, width) and count the values that enter the first Dense channel
by channel; Keras counts them pixel by pixel. Only what VGG16 consists of is known here.
"""

import json
from dataclasses import dataclass

import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

INPUT = "input"
SHAPE = (3, 224, 224)


@dataclass
class Layer:
    kind: str
    name: str
    kernel: np.ndarray | None  # (out, in, 3, 3) of a Conv2D, (out, in) of a Dense
    bias: np.ndarray | None


def layers():
    """The layers between input and last Dense, in order. All with a kernel end with ReLU."""
    with open("vgg16_exported.json") as file:
        configs = json.load(file)["config"]["layers"][1:-1]
    channels = SHAPE[0]
    with h5py.File("vgg16_exported.h5") as file:
        for config in configs:
            kind, name = config["class_name"], config["config"]["name"]
            kernel = bias = None
            if kind in ("Conv2D", "Dense"):
                kernel, bias = (file[name][f"{weight}:0"][:] for weight in ("kernel", "bias"))
            if kind == "Conv2D":
                kernel = kernel.transpose(3, 2, 0, 1)
                channels = len(bias)
            elif kind == "Dense":
                # After the first Dense there is one pixel, and nothing moves.
                kernel = kernel.reshape(-1, channels, len(bias)).transpose(2, 1, 0).reshape(len(bias), -1)
                channels = len(bias)
            yield Layer(kind, name, kernel, bias)


def unknown(layer):
    return ValueError(f"layer {layer.name}: {layer.kind} is not known here")


def ncnn_line(layer, bottom):
    """A layer of a .param file: its parameters go by numbers, which ncnn lists in docs/developer-guide/operators.md."""
    match layer.kind:
        case "Conv2D":
            kind, parameters = "Convolution", f"0={len(layer.bias)} 1=3 4=1 5=1 6={layer.kernel.size} 9=1"
        case "MaxPooling2D":
            kind, parameters = "Pooling", "0=0 1=2 2=2 5=1"
        case "Flatten":
            kind, parameters = "Flatten", ""
        case "Dense":
            kind, parameters = "InnerProduct", f"0={len(layer.bias)} 1=1 2={layer.kernel.size} 9=1"
        case _:
            raise unknown(layer)
    return f"{kind} {layer.name} 1 1 {bottom} {layer.name} {parameters}"


def write_ncnn(param_path, bin_path):
    channels, height, width = SHAPE
    lines = [f"Input {INPUT} 0 1 {INPUT} 0={width} 1={height} 2={channels}"]
    blob = INPUT
    with open(bin_path, "wb") as weights:
        for layer in layers():
            lines.append(ncnn_line(layer, blob))
            blob = layer.name
            if layer.kernel is not None:
                weights.write(np.uint32(0).tobytes())  # what follows is float32
                weights.write(layer.kernel.tobytes())
                weights.write(layer.bias.tobytes())
    with open(param_path, "w") as param:
        param.write("\n".join(["7767517", f"{len(lines)} {len(lines)}", *lines, ""]))


def onnx_nodes(layer, bottom):
    weights = [f"{layer.name}/kernel", f"{layer.name}/bias"]
    linear = f"{layer.name}/linear"
    relu = helper.make_node("Relu", [linear], [layer.name])
    match layer.kind:
        case "Conv2D":
            return [helper.make_node("Conv", [bottom, *weights], [linear], kernel_shape=[3, 3], pads=[1, 1, 1, 1]), relu]
        case "MaxPooling2D":
            return [helper.make_node("MaxPool", [bottom], [layer.name], kernel_shape=[2, 2], strides=[2, 2])]
        case "Flatten":
            return [helper.make_node("Flatten", [bottom], [layer.name])]
        case "Dense":
            return [helper.make_node("Gemm", [bottom, *weights], [linear], transB=1), relu]
        case _:
            raise unknown(layer)


def write_onnx(path):
    nodes, weights = [], []
    blob = INPUT
    for layer in layers():
        nodes += onnx_nodes(layer, blob)
        blob = layer.name
        if layer.kernel is not None:
            weights.append(numpy_helper.from_array(np.ascontiguousarray(layer.kernel), f"{layer.name}/kernel"))
            weights.append(numpy_helper.from_array(layer.bias, f"{layer.name}/bias"))
            features = len(layer.bias)
    inputs = [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["images", *SHAPE])]
    outputs = [helper.make_tensor_value_info(blob, TensorProto.FLOAT, ["images", features])]
    graph = helper.make_graph(nodes, "vgg16", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
