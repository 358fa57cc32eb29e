"""Other programs that compute VGG16's features, each held open in a process of its own by compare_with_peers.py:

    python peers.py NAME

loads the model, says `ready`, and for every number of images that it reads from standard input computes the features of
so many, writes them to NAME.npy, and prints the seconds that this took and the peak memory in bytes as JSON.

A peer is a function that loads its model and returns a function from the numbers of the first and last image to their
features. Images come preprocessed, and are read and laid out before the clock starts; the course's script is timed with
its own decoding.
"""

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np

PHOTOS = "photos"
INPUTS = "inputs.f32"  # every image as (224, 224, 3) float32, one after another
IMAGE = (224, 224, 3)
NCNN_PARAM, NCNN_BIN, ONNX_MODEL = "vgg16.param", "vgg16.bin", "vgg16.onnx"
THREADS = os.cpu_count()


def photos():
    return sorted(Path(PHOTOS).iterdir())


def channels_last(start, count):
    size = int(np.prod(IMAGE))
    values = np.fromfile(INPUTS, np.float32, count * size, offset=start * size * 4)
    return values.reshape(count, *IMAGE)


def channels_first(start, count):
    return np.ascontiguousarray(channels_last(start, count).transpose(0, 3, 1, 2))


def paths(start, count):
    return photos()[start : start + count]


def ncnn(vulkan):
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = THREADS
    net.opt.use_vulkan_compute = vulkan
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_packed = net.opt.use_bf16_storage = False
    if net.load_param(NCNN_PARAM) != 0 or net.load_model(NCNN_BIN) != 0:
        sys.exit("ncnn does not load the model")
    if vulkan and not net.opt.use_vulkan_compute:
        sys.exit("ncnn finds no Vulkan device")

    def features(images):
        extractor = net.create_extractor()
        extractor.input(net.input_names()[0], ncnn.Mat(images[0]))
        status, output = extractor.extract(net.output_names()[0])
        if status != 0:
            sys.exit(f"ncnn fails with {status}")
        return np.array(output)[np.newaxis]

    return features


def onnx_runtime():
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(ONNX_MODEL, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


def keras_predict():
    from keras_extract import load_model

    model = load_model()
    return lambda images: model.predict(images, batch_size=8, verbose=0)


def keras_script():
    from keras_extract import input_of, load_model

    model = load_model()
    return lambda paths: model.predict(input_of(paths[0]), verbose=0)


@dataclass
class Peer:
    title: str
    load: Callable
    images: Callable  # from the first image's number and a count to what the loaded model takes
    at_once: int | None  # images of one call; None for all
    at_most: int | None = None  # images of one turn


PEERS = {
    "ncnn-cpu": Peer("ncnn, CPU", lambda: ncnn(False), channels_first, 1),
    # With all images, its turn on a GPU that is made of CPU cores would be longer than all others together.
    "ncnn-vulkan": Peer("ncnn, Vulkan", lambda: ncnn(True), channels_first, 1, at_most=4),
    "onnxruntime-1": Peer("ONNX Runtime, batch 1", onnx_runtime, channels_first, 1),
    "onnxruntime-8": Peer("ONNX Runtime, batch 8", onnx_runtime, channels_first, 8),
    "keras-8": Peer("Keras `predict`, batch 8", keras_predict, channels_last, None),
    "keras-script": Peer("the course's Keras script, decoding included", keras_script, paths, 1),
}


def turn(peer, compute, count):
    """Features of the first `count` images, and the seconds they took."""
    at_once = peer.at_once or count
    features, seconds = [], 0.0
    for start in range(0, count, at_once):
        images = peer.images(start, min(at_once, count - start))
        before = time.perf_counter()
        features.append(compute(images))
        seconds += time.perf_counter() - before
    return np.concatenate(features), seconds


def peak_memory():
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def main(name):
    # Libraries write to standard output too; the answers go where only they go.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    peer = PEERS[name]
    compute = peer.load()
    print("ready", file=answers)
    for line in sys.stdin:
        features, seconds = turn(peer, compute, int(line))
        np.save(f"{name}.npy", features)
        print(json.dumps({"seconds": seconds, "peak": peak_memory()}), file=answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
