"""The course's script for Keras 3: features of every file in a folder, one image at a time.

Run in a folder that holds vgg16_exported.json and vgg16_exported.h5:

    python keras_extract.py FOLDER OUTPUT.pkl

The pixels follow the course to the letter. Two things had to change since Keras 2.2: weights are read for the
architecture that Keras 3 can parse, and the last layer is dropped by naming the output before it, because
`model.layers.pop()` no longer truncates. Prints the seconds from start to first features, and for all of them.
"""

import os
import pickle
import sys
import time

started = time.perf_counter()

import numpy as np
from keras.models import Model, model_from_json
from PIL import Image


def load_image(path):
    image = Image.open(path).resize((224, 224), Image.NEAREST)
    return np.asarray(image, dtype="float32")


def preprocess_input(x):
    x = x[..., ::-1]
    x[..., 0] -= 103.939
    x[..., 1] -= 116.779
    x[..., 2] -= 123.68
    return x


def input_of(path):
    return preprocess_input(np.array(load_image(path))[np.newaxis])


def load_model():
    with open("vgg16_exported.json") as file:
        model = model_from_json(file.read())
    model.load_weights("vgg16_exported.h5")
    return Model(model.inputs, model.layers[-2].output)


def main(folder, output):
    model = load_model()
    features = {}
    first = None
    for name in os.listdir(folder):
        features[os.path.splitext(name)[0]] = model.predict(input_of(os.path.join(folder, name)), verbose=0)
        first = first or time.perf_counter()
    with open(output, "wb") as file:
        pickle.dump(features, file)
    print(f"{first - started:.3f} {time.perf_counter() - started:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
