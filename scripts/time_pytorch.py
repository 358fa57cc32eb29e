"""VGG16 up to fc2 by PyTorch on an NVIDIA card (cuDNN): images/s in batches of 8, 32 and 64, beside `vgg-wgpu bench --device
gpu`. In a folder with the files of `vgg-wgpu init`, with torch, numpy, h5py and onnx:

    python scripts/time_pytorch.py

f32, and TF32, which rounds the operands of products to 10 bits of mantissa. Inputs are noise, and on the card before the clock
starts. Of both layouts that PyTorch has, the faster one counts. First the features are compared with those in f64.
"""

import statistics

import numpy as np
import torch

import peer_models

BATCHES = (8, 32, 64)
ROUNDS = 10
LAYOUTS = (torch.contiguous_format, torch.channels_last)


def module(layer):
    match layer.kind:
        case "Conv2D":
            linear = torch.nn.Conv2d(layer.kernel.shape[1], layer.kernel.shape[0], 3, padding=1)
        case "Dense":
            linear = torch.nn.Linear(layer.kernel.shape[1], layer.kernel.shape[0])
        case "MaxPooling2D":
            return torch.nn.MaxPool2d(2)
        case "Flatten":
            return torch.nn.Flatten()
        case _:
            raise peer_models.unknown(layer)
    linear.weight.data = torch.from_numpy(np.ascontiguousarray(layer.kernel))
    linear.bias.data = torch.from_numpy(layer.bias)
    return torch.nn.Sequential(linear, torch.nn.ReLU())


def allow_tf32(allowed):
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allowed


def seconds(network, images):
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    network(images)
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 1e3


def images_per_second(network, images, layout):
    network, images = network.to(memory_format=layout), images.contiguous(memory_format=layout)
    for _ in range(3):
        network(images)
    return len(images) / statistics.median(seconds(network, images) for _ in range(ROUNDS))


def main():
    torch.backends.cudnn.benchmark = True
    network = torch.nn.Sequential(*map(module, peer_models.layers())).cuda()
    images = 100 * torch.randn(max(BATCHES), *peer_models.SHAPE, generator=torch.Generator().manual_seed(0)).cuda()
    expected = network.double()(images[:8].double())
    network.float()
    print(torch.cuda.get_device_name(), "PyTorch", torch.__version__)
    for tf32 in (False, True):
        allow_tf32(tf32)
        difference = (network(images[:8]) - expected).abs().max() / expected.abs().max()
        rates = (max(images_per_second(network, images[:batch], layout) for layout in LAYOUTS) for batch in BATCHES)
        rates = ", ".join(f"{rate:.0f} in batches of {batch}" for rate, batch in zip(rates, BATCHES))
        print(f"{'TF32' if tf32 else 'f32'}: images/s {rates}; {difference:.1e} of the largest feature from f64")


if __name__ == "__main__":
    with torch.no_grad():
        main()
