#!/usr/bin/env python3
"""Compares decoding and resizing with Pillow's on files this script makes, and prints what differs. Needs Pillow, NumPy.

    cargo build --release --example decode
    python scripts/compare_with_pillow.py target/release/examples/decode

Five comparisons: every encoding (how many images have identical pixels), damaged copies (how many are accepted or
refused against Pillow's verdict, and whether accepted ones have Pillow's pixels), truncated ones where both are lenient,
every filter, and the time of a photo.
"""

import argparse
import hashlib
import io
import random
import subprocess
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile

import make_photos

FILTERS = ["nearest", "bilinear", "bicubic", "lanczos"]
warnings.simplefilter("ignore")


def ours(program, paths, *arguments):
    """The program's verdict on each path: its printed line, split. A crash of the program ends the comparison."""
    lines = "".join(f"{path}\n" for path in paths)
    done = subprocess.run([program, *arguments], input=lines, capture_output=True, text=True)
    verdicts = [line.split(maxsplit=4) for line in done.stdout.splitlines()]
    if done.returncode != 0 or len(verdicts) != len(paths):
        raise SystemExit(f"exit {done.returncode} after {len(verdicts)} of {len(paths)} files: {done.stderr[-2000:]}")
    return verdicts


def pillows(path, size=None, filter_name=None):
    """The same of Pillow: `ok`, width, height and MD5 of the pixels, or `error`."""
    try:
        with Image.open(path) as image:
            image = image.convert("RGB")
        if size:
            image = image.resize(size, Image.Resampling[filter_name.upper()])
        return ["ok", str(image.width), str(image.height), hashlib.md5(image.tobytes()).hexdigest()]
    except Exception as error:
        return ["error", type(error).__name__, str(error)]


def encodings():
    """Pairs of a name and Pillow's save options, with the modes they are for."""
    for quality in (30, 75, 95):
        for progressive in (False, True):
            for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
                yield "jpg", ("RGB",), dict(quality=quality, progressive=progressive, subsampling=subsampling)
            yield "jpg", ("L", "CMYK"), dict(quality=quality, progressive=progressive)
    yield "jpg", ("RGB",), dict(quality=85, restart_marker_rows=2)
    yield "jpg", ("RGB",), dict(quality=85, keep_rgb=True)
    yield "png", ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"), {}
    yield "bmp", ("RGB", "L", "P", "1"), {}
    yield "gif", ("P", "L"), {}
    yield "webp", ("RGB", "RGBA"), dict(lossless=True)
    yield "webp", ("RGB", "RGBA"), dict(quality=80)
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        yield "tiff", ("RGB", "RGBA", "L", "P", "CMYK", "I;16", "1"), dict(compression=compression)


def in_mode(image, mode):
    """`image` in a mode, 16-bit values spread over their whole range."""
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L"), dtype=np.uint16) * 257)
    if mode in ("RGBA", "LA"):
        image = image.convert("RGBA")
        image.putalpha(image.getchannel("R"))
    return image.convert(mode)


def make_files(folder, sizes):
    """Every encoding of a part of a photo in every size."""
    paths = []
    for index, size in enumerate(sizes):
        photo = make_photos.photo(index % 4, seed=1).resize(size)
        for number, (extension, modes, options) in enumerate(encodings()):
            for mode in modes:
                path = folder / f"{extension}_{number}_{mode.replace(';', '')}_{size[0]}x{size[1]}.{extension}"
                in_mode(photo, mode).save(path, **options)
                paths.append(path)
    return paths


def damage(data, rng):
    """A damaged copy: some bytes replaced, a part cut out, doubled, or everything after a place gone."""
    data = bytearray(data)
    kind = rng.choice(["bytes", "bytes", "header", "cut", "double", "truncate"])
    start = rng.randrange(len(data))
    if kind == "bytes":
        for _ in range(rng.choice([1, 1, 2, 8])):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif kind == "header":
        data[rng.randrange(min(len(data), 700))] = rng.randrange(256)
    elif kind == "cut":
        del data[start : start + rng.randint(1, 200)]
    elif kind == "double":
        data[start:start] = data[start : start + rng.randint(1, 200)]
    else:
        del data[start:]
    return bytes(data)


def compare_pixels(program, folder):
    sizes = [(1, 1), (1, 9), (17, 13), (64, 48), (101, 67), (320, 240), (500, 375)]
    paths = make_files(folder, sizes)
    counts, different = Counter(), []
    for path, mine in zip(paths, ours(program, paths)):
        same = mine[:4] == pillows(path)[:4]
        counts[path.suffix, same] += 1
        if not same:
            different.append(f"{path.stem}: {' '.join(mine)}")
    for suffix in sorted({suffix for suffix, _ in counts}):
        print(f"{suffix[1:]:5} {counts[suffix, True]} identical, {counts[suffix, False]} different")
    print("\n".join(different))


def compare_damaged(program, folder, count):
    rng = random.Random(5)
    originals = make_files(folder, [(97, 61)])
    for extension in ("jpg", "png", "bmp", "gif", "webp", "tiff"):
        pool = [path for path in originals if path.suffix[1:] == extension]
        paths = []
        for index in range(count if extension == "jpg" else count // 5):
            path = folder / f"damaged_{index}.{extension}"
            path.write_bytes(damage(rng.choice(pool).read_bytes(), rng))
            paths.append(path)
        start = time.perf_counter()
        mine, theirs = ours(program, paths), None
        seconds = time.perf_counter() - start
        theirs = [pillows(path) for path in paths]
        counts = Counter((us[0], them[0]) for us, them in zip(mine, theirs))
        same = sum(us[:4] == them[:4] for us, them in zip(mine, theirs) if us[0] == them[0] == "ok")
        only = [(path.name, us, them) for path, us, them in zip(paths, mine, theirs) if us[0] != them[0]]
        print(
            f"{extension:5}{len(paths)} damaged in {seconds:.1f} s: both accept {counts['ok', 'ok']} ({same} identical), "
            f"both refuse {counts['error', 'error']}, only Pillow refuses {counts['ok', 'error']}, "
            f"only we refuse {counts['error', 'ok']}"
        )
        reasons = Counter((us[0], " ".join(them[2:] if us[0] == "ok" else us[2:])[:90]) for _, us, them in only)
        for (verdict, reason), number in reasons.most_common(8):
            print(f"       {number} x {'Pillow' if verdict == 'ok' else 'we'}: {reason}")


def compare_truncated(program, folder, count):
    """JPEGs cut anywhere behind the headers, others anywhere, and damaged PNGs, both sides lenient."""
    rng = random.Random(6)
    originals = make_files(folder, [(97, 61)])

    def cut_jpeg(data):
        return data[: rng.randrange(data.index(b"\xff\xda") + 20, len(data))]

    def cut(data):
        return data[: rng.randrange(8, len(data))]

    for what, suffix, spoil in [
        ("truncated JPEGs", ".jpg", cut_jpeg),
        ("truncated PNGs", ".png", cut),
        ("damaged PNGs", ".png", lambda data: damage(data, rng)),
        ("truncated BMPs", ".bmp", cut),
        ("truncated GIFs", ".gif", cut),
        ("truncated TIFFs", ".tiff", cut),
        ("truncated WebPs", ".webp", cut),
    ]:
        pool = [path for path in originals if path.suffix == suffix]
        paths = [folder / f"{what.replace(' ', '_')}_{index}{suffix}" for index in range(count)]
        for path in paths:
            path.write_bytes(spoil(rng.choice(pool).read_bytes()))
        compare_lenient(program, paths, what)


def compare_lenient(program, paths, what):
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    theirs = [pillows(path) for path in paths]
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    mine = ours(program, paths, "lenient")
    verdicts = Counter((us[0], them[0]) for us, them in zip(mine, theirs))
    same = sum(us[:4] == them[:4] for us, them in zip(mine, theirs) if us[0] == them[0] == "ok")
    print(f"{len(paths)} {what}, lenient: both accept {verdicts['ok', 'ok']} ({same} identical), verdicts {dict(verdicts)}")


def compare_filters(program, folder):
    photo = make_photos.photo(1, seed=2)
    sources = [(500, 375), (375, 500), (320, 640), (1024, 333), (224, 300), (300, 224), (50, 700), (3, 2), (1, 1), (700, 40)]
    paths = []
    for size in sources:
        paths.append(folder / f"source_{size[0]}x{size[1]}.png")
        photo.resize(size).save(paths[-1])
    for name in FILTERS:
        bad = []
        for target in [(224, 224), (224, 50), (31, 333), (1, 1)]:
            verdicts = ours(program, paths, f"{target[0]}x{target[1]}:{name}")
            bad += [path.stem for path, mine in zip(paths, verdicts) if mine[:4] != pillows(path, target, name)]
        print(f"{name:9} {4 * len(paths) - len(bad)} identical, {len(bad)} different {bad}")


def compare_time(program, folder):
    paths = []
    for index in range(16):
        paths.append(folder / f"photo_{index}.jpg")
        make_photos.photo(index, seed=0).save(paths[-1], quality=93)
    rounds = [[float(verdict[4]) for verdict in ours(program, paths, "224x224:nearest")] for _ in range(9)]
    theirs = []
    for _ in range(9):
        for path in paths:
            start = time.perf_counter()
            with Image.open(io.BytesIO(path.read_bytes())) as image:
                image.resize((224, 224), Image.Resampling.NEAREST)
            theirs.append((time.perf_counter() - start) * 1e3)
    print(f"a photo to 224 x 224, median: {np.median(rounds):.2f} ms here, {np.median(theirs):.2f} ms in Pillow")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the built example `decode`")
    parser.add_argument("--damaged", type=int, default=3000, help="how many damaged JPEGs, a fifth of each other format; how many truncated of each")
    arguments = parser.parse_args()
    for comparison in (compare_pixels, compare_damaged, compare_truncated, compare_filters, compare_time):
        with tempfile.TemporaryDirectory() as folder:
            extra = [arguments.damaged] if comparison in (compare_damaged, compare_truncated) else []
            comparison(arguments.program, Path(folder), *extra)


if __name__ == "__main__":
    main()
