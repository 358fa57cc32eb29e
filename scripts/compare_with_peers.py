"""Times `vgg-wgpu extract` and other programs in turns, and prints a table. See compare_with_peers.sh.

Before anything is timed, everyone computes every image once and must agree with `extract --device cpu`; every later turn
is checked too. In a round all run, one after another, so that whatever else the machine does meets everyone alike.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

from keras_extract import input_of
from measuring import extract, measured, tune
from peer_models import write_ncnn, write_onnx
from peers import INPUTS, NCNN_BIN, NCNN_PARAM, ONNX_MODEL, PEERS, PHOTOS, photos

LIMIT = 1e-4
PACKAGES = ["ncnn", "onnxruntime", "keras", "tensorflow-cpu", "numpy", "pillow"]
HERE = Path(__file__).resolve().parent


class Ours:
    """This program: every turn is a whole run, from files to features.pkl; its clock leaves out reading the weights."""

    def __init__(self, binary, device):
        self.binary, self.device = binary, device
        self.title = f"`vgg-wgpu extract --device {device}`, decoding included"

    def turn(self, count):
        features, row = extract(self.binary, PHOTOS, self.device, "features.pkl")
        return np.concatenate(list(features.values())), row["seconds"], row["peak"]


class Held:
    """A peer in its own process, which waits for its turns with the model loaded."""

    def __init__(self, name):
        self.name, self.title, self.at_most = name, PEERS[name].title, PEERS[name].at_most
        self.log = open(f"{name}.log", "w+")
        command = [sys.executable, HERE / "peers.py", name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            sys.exit(f"{self.name} ended with {self.process.wait()}:\n{self.log.read()}")
        return line

    def turn(self, count):
        print(min(count, self.at_most or count), file=self.process.stdin, flush=True)
        answer = json.loads(self.answer())
        return np.load(f"{self.name}.npy"), answer["seconds"], answer["peak"]


class Results:
    """What a contestant's turns have given."""

    def __init__(self, contestant):
        self.contestant = contestant
        self.rounds, self.peak, self.error, self.images = [], 0, 0.0, 0

    def add_turn(self, count, reference, timed):
        features, seconds, peak = self.contestant.turn(count)
        self.images = len(features)
        expected = reference[: self.images]
        error = np.abs(features - expected).max() / np.abs(expected).max()
        if not error <= LIMIT:
            sys.exit(f"FAILED: {self.contestant.title} is {error:.1e} of the largest feature from ours; {LIMIT} is allowed")
        self.error, self.peak = max(self.error, error), max(self.peak, peak)
        if timed:
            self.rounds.append(seconds / self.images)
        print(f"{self.contestant.title}: {seconds / self.images:.4f} s an image", file=sys.stderr)

    def ratio(self, other):
        """The time of one image over another contestant's, as the median over rounds."""
        if other is None:
            return ""
        return f"{statistics.median(mine / theirs for mine, theirs in zip(self.rounds, other.rounds)):.2f}"


def prepare(count):
    measured([sys.executable, HERE / "make_photos.py", PHOTOS, "--count", str(count)])
    with open(INPUTS, "wb") as file:
        for path in photos():
            file.write(input_of(path).tobytes())
    write_ncnn(NCNN_PARAM, NCNN_BIN)
    write_onnx(ONNX_MODEL)


def machine():
    with open("/proc/cpuinfo") as file:
        model = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    return f"{os.cpu_count()} cores of {model} ({platform.machine()}), {platform.system()} {platform.release()}"


def print_table(results):
    print("| | images a turn | s an image: median | min–max | ÷ ncnn, CPU | ÷ Keras, batch 8 | peak memory, MB "
          "| largest difference from ours, of the largest feature |")
    print("|---|---|---|---|---|---|---|---|")
    for row in results.values():
        ratios = [row.ratio(results.get(name)) for name in ("ncnn-cpu", "keras-8")]
        print(f"| {row.contestant.title} | {row.images} | {statistics.median(row.rounds):.3f} "
              f"| {min(row.rounds):.3f}–{max(row.rounds):.3f} | {' | '.join(ratios)} | {row.peak / 1e6:.0f} | {row.error:.1e} |")


def at_least_one(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def main():
    names = ["cpu", "gpu", *PEERS]
    parser = argparse.ArgumentParser(prog="compare_with_peers.sh", description=__doc__)
    parser.add_argument("binary", help=argparse.SUPPRESS)
    parser.add_argument("--photos", type=at_least_one, default=200, help="images of a turn (default: 200)")
    parser.add_argument("--rounds", type=at_least_one, default=5, help="turns of each (default: 5)")
    parser.add_argument("--only", metavar="NAME,..", default=",".join(names), help=f"of {', '.join(names)}")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",")
    if not set(wanted) <= set(names):
        parser.error(f"--only takes names of {', '.join(names)}")

    load_before = os.getloadavg()[0]
    prepare(arguments.photos)
    if "gpu" in wanted:
        tune(arguments.binary)
    reference, _, _ = Ours(arguments.binary, "cpu").turn(arguments.photos)
    results = {}
    for name in (name for name in names if name in wanted):
        contestant = Held(name) if name in PEERS else Ours(arguments.binary, name)
        results[name] = Results(contestant)
        results[name].add_turn(arguments.photos, reference, timed=False)
    for number in range(arguments.rounds):
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)
        for row in results.values():
            row.add_turn(arguments.photos, reference, timed=True)

    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    devices, _ = measured([arguments.binary, "devices"])
    print(f"{arguments.photos} photos of about 500 x 375, {arguments.rounds} rounds; {machine()}; Python "
          f"{platform.python_version()}, {versions}; load average before: {load_before:.1f}")
    print(f"GPU adapters:\n{devices}")
    print_table(results)


if __name__ == "__main__":
    main()
