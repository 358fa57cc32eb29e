#!/usr/bin/env python3
"""Draws JPEGs that are to a decoder what photos are: about 500 x 375 pixels, 40 to 100 KB, 4:2:0, with smooth areas,
edges, texture and sensor noise. Every pixel is computed, so no photographer's licence applies. Needs Pillow and NumPy.

    python scripts/make_photos.py photos --count 8      # the samples in this repository
    python scripts/make_photos.py /tmp/200 --count 200  # a folder to measure with

The same count and seed give the same pixels; the bytes of the files also depend on Pillow's version.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZES = [(500, 375), (500, 333), (375, 500), (500, 375), (500, 334), (333, 500), (500, 400), (500, 281)]


def fractal_noise(rng, width, height, roughness):
    """Noise in [0, 1] that is the sum of octaves, each with `roughness` times the amplitude of the coarser one."""
    total = np.zeros((height, width))
    for octave in range(1, 8):
        cells = 2**octave
        grid = rng.random((cells + 1, cells + 1)).astype(np.float32)
        layer = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        total += roughness**octave * np.asarray(layer)
    return (total - total.min()) / np.ptp(total)


def mix(low, high, amount):
    """The colours between two, for each amount in [0, 1]."""
    return np.asarray(low) + (np.asarray(high) - np.asarray(low)) * amount[..., None]


def landscape(rng, width, height):
    """A sky with clouds above ridges that get darker and rougher towards the viewer."""
    rows = np.linspace(0, 1, height)[:, None] * np.ones(width)
    clouds = np.clip(fractal_noise(rng, width, height, 0.55) * 2 - 0.8, 0, 1) * (1 - rows)
    pixels = mix(rng.uniform(60, 160, 3), rng.uniform(170, 250, 3), rows)
    pixels = pixels + (245 - pixels) * clouds[..., None]
    near_colour = rng.uniform(20, 110, 3)
    for distance in np.linspace(1, 0, 4):
        ridge = 0.9 - 0.5 * distance + 0.25 * (fractal_noise(rng, width, 8, 0.5)[4] - 0.5)
        texture = fractal_noise(rng, width, height, 0.55 + 0.25 * (1 - distance))
        colour = mix(near_colour * 0.5, near_colour * 1.6, texture) * (1 - 0.6 * distance) + 190 * 0.6 * distance
        pixels = np.where((rows > ridge)[..., None], colour, pixels)
    return pixels


def still_life(rng, width, height):
    """Round and angular things with shading and shadows on a textured ground."""
    ground = fractal_noise(rng, width, height, 0.75)
    canvas = Image.fromarray(mix(rng.uniform(40, 120, 3), rng.uniform(130, 230, 3), ground).astype(np.uint8))
    for _ in range(rng.integers(5, 11)):
        x, y, radius = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.06, 0.25) * width
        box = (x - radius, y - radius * rng.uniform(0.5, 1), x + radius, y + radius)
        shape = Image.new("L", canvas.size)
        draw = ImageDraw.Draw(shape)
        if rng.random() < 0.6:
            draw.ellipse(box, fill=255)
        else:
            draw.regular_polygon((x, y, radius), int(rng.integers(3, 7)), rotation=int(rng.integers(360)), fill=255)
        shadow = shape.filter(ImageFilter.GaussianBlur(8)).point(lambda level: level * 0.5)
        canvas.paste((10, 10, 15), (6, 8), shadow)
        light = np.hypot(*np.meshgrid(np.arange(width) - x + radius / 2, np.arange(height) - y + radius / 2))
        amount = np.clip(light / (2 * radius) + 0.15 * fractal_noise(rng, width, height, 0.7), 0, 1)
        surface = mix(rng.uniform(150, 255, 3), rng.uniform(0, 90, 3), amount)
        canvas.paste(Image.fromarray(surface.astype(np.uint8)), (0, 0), shape)
    return np.asarray(canvas, dtype=np.float64)


def photo(index, seed):
    """The pixels of photo number `index`."""
    rng = np.random.default_rng([seed, index])
    width, height = SIZES[index % len(SIZES)]
    pixels = (landscape if index % 2 == 0 else still_life)(rng, width, height)
    grain = rng.normal(0, rng.uniform(3, 7), (height, width, 1)) + rng.normal(0, 2, (height, width, 3))
    return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="is created where it is missing")
    parser.add_argument("--count", type=int, default=64, help="how many photos (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other photos (default: 0)")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    sizes = []
    for index in range(arguments.count):
        path = arguments.folder / f"photo_{index:04}.jpg"
        photo(index, arguments.seed).save(path, quality=93, subsampling="4:2:0")
        sizes.append(path.stat().st_size)
    print(f"{len(sizes)} photos, {min(sizes)} to {max(sizes)} bytes, {sum(sizes) / len(sizes):.0f} on average")


if __name__ == "__main__":
    main()
