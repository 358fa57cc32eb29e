#!/usr/bin/env python3
"""A long run over many images, damaged ones among them, killed and resumed again and again. Linux; Python's standard
library only.

    cargo build --release && python3 scripts/soak.py target/release/vgg-wgpu --images 20000 --kills 12

Copies the photos of this repository under as many names, 1 % of them cut off in the middle, and runs the program twice:
undisturbed, with its memory watched; and killed (SIGKILL) at random moments and started again. Checks that every image is
accounted for and that both runs end in the same bytes, and prints the table that docs/reliability.md carries.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DAMAGED_EVERY = 100


def make_images(folder, count):
    """Names and bytes all differ: a JPEG comment carries the number."""
    photos = [path.read_bytes() for path in sorted((REPOSITORY / "photos").glob("*.jpg"))]
    folder.mkdir()
    damaged = []
    for index in range(count):
        photo = photos[index % len(photos)]
        comment = f"{index:08}".encode()
        photo = photo[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + photo[2:]
        name = f"{index:08}.jpg"
        if index % DAMAGED_EVERY == DAMAGED_EVERY // 2:
            photo = photo[: len(photo) // 2]
            damaged.append(name)
        (folder / name).write_bytes(photo)
    return damaged


def memory_of(process):
    """Resident MiB now, or nothing where it has ended."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return None
    lines = [line.split() for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(lines[0][1]) / 1024 if lines else None


def undisturbed(command):
    """Runs to the end; returns the summary, and the memory over time."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    memory = []
    while process.poll() is None:
        memory.append(memory_of(process))
        time.sleep(0.1)
    assert process.returncode == 3, f"exit code {process.returncode}: damaged images must be told"
    return json.loads(process.stdout.read()), [value for value in memory if value]


def killed(command, kills, seconds, seed):
    """Kills it `kills` times at random moments of a run of about `seconds`, then lets it end; returns the summary."""
    moments = random.Random(seed)
    done = 0
    while True:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if done < kills:
            time.sleep(moments.uniform(0.2, 1.5 * seconds / kills))
        if done < kills and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            done += 1
            continue
        output, _ = process.communicate()
        assert process.returncode == 3, f"exit code {process.returncode}"
        return json.loads(output), done


def check(summary, folder, output, count, damaged):
    assert summary["images"] == count - len(damaged), summary["images"]
    failed = sorted(Path(failure["path"]).name for failure in summary["failed"])
    assert failed == damaged, f"{len(failed)} failures told, {len(damaged)} images are damaged"
    listed = [json.loads(line) for line in output.with_name("features.failures.jsonl").read_text().splitlines()]
    assert sorted(Path(failure["path"]).name for failure in listed) == damaged


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--images", type=int, default=20000)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path, default=REPOSITORY / "tests/fixtures/keras/keras-3/mini_vgg.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        damaged = make_images(work / "images", arguments.images)
        outputs = [work / name / "features.pkl" for name in ("undisturbed", "killed")]
        base = [arguments.program.resolve(), "extract", work / "images", "--model", arguments.model.resolve()]
        base += ["--weights", "untrained", "--device", arguments.device, "--json", "--quiet"]
        for output in outputs:
            output.parent.mkdir()
        first, memory = undisturbed([*base, "-o", outputs[0]])
        second, kills = killed([*base, "-o", outputs[1]], arguments.kills, first["seconds"], arguments.seed)
        check(first, work, outputs[0], arguments.images, damaged)
        check(second, work, outputs[1], arguments.images, damaged)
        assert outputs[0].read_bytes() == outputs[1].read_bytes(), "the two runs differ"
        assert sorted(os.listdir(outputs[0].parent)) == sorted(os.listdir(outputs[1].parent)), "something is left behind"
        quarter = len(memory) // 4
        parts = [max(memory[part * quarter : (part + 1) * quarter]) for part in range(4)]
        print(f"{arguments.images} images, {len(damaged)} of them damaged: {first['images']} written, all others told")
        print(f"undisturbed: {first['seconds']:.0f} s; peak MiB in each quarter: {[round(part) for part in parts]}")
        print(f"killed {kills} times and resumed: the same {outputs[1].stat().st_size} bytes")
        assert parts[3] <= 1.1 * parts[1], "memory grows"


if __name__ == "__main__":
    main()
