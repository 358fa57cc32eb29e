"""Runs `vgg-wgpu extract` and other programs with their time and memory, and compares features."""

import json
import os
import pickle
import subprocess
import sys
import time

import numpy as np


def measured(command):
    """Runs a command; returns its standard output and wall seconds."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    output, errors = process.communicate()
    seconds = time.perf_counter() - start
    if process.returncode != 0:
        sys.exit(f"{command} failed with {process.returncode}:\n{errors}")
    return output, seconds


def peak_of(command):
    """As measured(), and the peak memory in bytes. In a process of its own, because the peak of children is a maximum
    over all of them."""
    code = (
        "import json, resource, subprocess, sys, time; s = time.perf_counter();"
        "p = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True);"
        "print(json.dumps([p.returncode, p.stdout, p.stderr, time.perf_counter() - s,"
        " resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024]))"
    )
    output, _ = measured([sys.executable, "-c", code, *command])
    status, stdout, stderr, seconds, peak = json.loads(output)
    if status != 0:
        sys.exit(f"{command} failed with {status}:\n{stderr}")
    return stdout, seconds, peak


def tune(binary):
    """Measures the GPU's methods, as any run over at least 1000 images does; later runs take what was found."""
    measured([binary, "tune", "--device", "gpu"])


def load(path):
    with open(path, "rb") as file:
        return pickle.load(file)


def extract(binary, folder, device, output):
    """Features of a folder by this program, and what `--json` says of the run with its memory and start-up."""
    command = [binary, "extract", folder, "--device", device, "-o", output, "--overwrite", "--quiet", "--json"]
    # The run syncs what it writes, and would wait for what others have written.
    os.sync()
    stdout, seconds, peak = peak_of(command)
    summary = json.loads(stdout)
    start_up = seconds - summary["seconds"] + summary["seconds_to_first_batch"]
    return load(output), dict(name=f"--device {device}", device=summary["device"], seconds=summary["seconds"],
                              start_up=start_up, peak=peak)


def difference(expected, found):
    """The largest difference, relative to the largest feature."""
    if list(found) != sorted(expected):
        sys.exit("the keys differ")
    largest = max(np.abs(value).max() for value in expected.values())
    return max(np.abs(expected[key] - found[key]).max() for key in expected) / largest
