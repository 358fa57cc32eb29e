"""Compares `vgg-wgpu extract` with the course's Keras script and prints a table. See compare_with_keras.sh."""

import json
import os
import platform
import sys

import numpy as np

from keras_extract import input_of
from measuring import difference, extract, load, measured, peak_of, tune

# A model that returns its input: what extract writes with it is the pixels as they enter a network.
PIXELS_MODEL = {
    "class_name": "Sequential",
    "config": {
        "name": "pixels",
        "layers": [
            {"class_name": "InputLayer", "config": {"name": "input", "batch_shape": [None, 224, 224, 3]}},
            {"class_name": "Flatten", "config": {"name": "flatten"}},
        ],
    },
}
LIMIT = 2e-5


def compare_pixels(binary, folder):
    with open("pixels.json", "w") as file:
        json.dump(PIXELS_MODEL, file)
    different = {}
    for device in ["cpu", "gpu"]:
        command = [binary, "extract", folder, "--model", "pixels.json", "--weights", "untrained", "--device", device,
                   "-o", f"pixels_{device}.pkl", "--quiet"]
        measured(command)
        found = load(f"pixels_{device}.pkl")
        expected = {os.path.splitext(name)[0]: input_of(os.path.join(folder, name)) for name in os.listdir(folder)}
        if found.keys() != expected.keys():
            sys.exit("the keys differ")
        different[device] = sum(not np.array_equal(found[key], expected[key].reshape(1, -1)) for key in expected)
    return different


def main(binary, folder):
    count = len(os.listdir(folder))
    different = compare_pixels(binary, folder)
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "keras_extract.py")
    stdout, _, peak = peak_of([sys.executable, script, folder, "keras.pkl"])
    first, total = map(float, stdout.split())
    expected = load("keras.pkl")
    rows = [dict(name="the course's Keras script", device="TensorFlow", seconds=total - first, start_up=first, peak=peak,
                 images=count - 1)]
    errors = {}
    tune(binary)
    for device in ["cpu", "gpu"]:
        found, row = extract(binary, folder, device, f"{device}.pkl")
        errors[device] = row["error"] = difference(expected, found)
        rows.append(row)
    import keras, PIL, tensorflow
    print(f"{count} photos on {platform.machine()}, {os.cpu_count()} cores; Keras {keras.__version__}, TensorFlow "
          f"{tensorflow.__version__}, Pillow {PIL.__version__}")
    for device, count_different in different.items():
        print(f"inputs that differ from the course's on {device}: {count_different} of {count}")
    print("\n| | images/s | start to first features, s | peak memory, MB | largest difference from Keras, of the largest feature |")
    print("|---|---|---|---|---|")
    for row in rows:
        error = f"{row['error']:.1e}" if "error" in row else ""
        rate = row.get("images", count) / row["seconds"]
        print(f"| {row['name']} ({row['device']}) | {rate:.2f} | {row['start_up']:.1f} | {row['peak'] / 1e6:.0f} | {error} |")
    if any(different.values()) or not all(error <= LIMIT for error in errors.values()):
        sys.exit(f"FAILED: pixels must be identical, features within {LIMIT} of the largest")


if __name__ == "__main__":
    main(*sys.argv[1:])
