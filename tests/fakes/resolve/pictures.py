"""The pictures of rendered frames: EXR files by OpenImageIO, here or, in a Python without it, in another process."""

from __future__ import annotations

import json
import os
import subprocess

PYTHON = "VOID_FAKE_RESOLVE_PYTHON"
"""Names a Python that has OpenImageIO and OpenTimelineIO to a process whose own has not."""


def write(plans):
    """Writes one EXR for each plan: `path`, `size`, `codec`, `layers` from below that add up, `truncate`."""
    elsewhere("pictures", "_write", [list(plans)])


def facts_of(path):
    """Width, height and timecode of a picture; zeros and none for a file that is no picture, such as a movie."""
    return elsewhere("pictures", "_facts", [path])


def elsewhere(module, function, arguments):
    """Calls a function of this package here, or in the Python that the environment names; values go through JSON."""
    if PYTHON not in os.environ:
        from importlib import import_module

        return getattr(import_module("." + module, __package__), function)(*arguments)
    tests = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    script = (
        "import sys, json; sys.path.insert(0, {!r}); from fakes.resolve import {} as m; "
        "print(json.dumps(m.{}(*json.load(sys.stdin))))".format(tests, module, function)
    )
    environment = {key: value for key, value in os.environ.items() if key not in (PYTHON, "PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [os.environ[PYTHON], "-c", script],
        input=json.dumps(arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        env=environment,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def _write(plans):
    import numpy as np

    for plan in plans:
        width, height = plan["size"]
        picture = np.zeros((height, width, 3), np.float32)
        for layer in plan["layers"]:
            if "path" in layer:
                pixels = _fitted(_seen(_read(layer["path"]), layer), width, height)
            else:
                pixels = np.full((height, width, 3), layer["solid"], np.float32)
            factor = layer["weight"] * layer["gain"]
            # Untouched pixels stay bit for bit, infinities too.
            picture = pixels if factor == 1 and len(plan["layers"]) == 1 else picture + pixels * np.float32(factor)
        save(plan["path"], picture, plan["codec"])
        if plan["truncate"]:
            with open(plan["path"], "r+b") as file:
                file.truncate(os.path.getsize(plan["path"]) // 2)


def _seen(pixels, layer):
    """Pixels after levels, colour management and sizing; where none of them does anything they stay bit for bit."""
    import numpy as np

    if layer["video_levels"]:
        pixels = (pixels * 255 - 16) / np.float32(219)
    if layer["power"] != 1:
        pixels = np.sign(pixels) * np.abs(pixels) ** np.float32(layer["power"])
    horizontal, vertical = layer["flip"]
    pixels = pixels[:: -1 if vertical else 1, :: -1 if horizontal else 1]
    return np.roll(pixels, (-layer["shift"][1], layer["shift"][0]), (0, 1)) if any(layer["shift"]) else pixels


def save(path, pixels, codec="RGBHalfZIP", attributes=()):
    """An EXR of R, G and B in the compression that a codec id of Resolve's names."""
    import numpy as np
    import OpenImageIO as oiio

    height, width = pixels.shape[:2]
    spec = oiio.ImageSpec(width, height, 3, oiio.HALF if "Half" in codec else oiio.FLOAT)
    spec.channelnames = ("R", "G", "B")
    name = codec.replace("RGBHalf", "").replace("RGBFloat", "").lower()
    spec.attribute("compression", {"zip1": "zips", "": "none"}.get(name, name))
    for key, value in attributes:
        spec.attribute(key, value)
    out = oiio.ImageOutput.create(path)
    if out is None or not out.open(path, spec) or not out.write_image(np.ascontiguousarray(pixels, np.float32)):
        raise RuntimeError(path + ": " + (out.geterror() if out else oiio.geterror()))
    out.close()


def _read(path):
    import numpy as np
    import OpenImageIO as oiio

    source = oiio.ImageInput.open(path)
    if source is None:
        raise RuntimeError(path + ": " + oiio.geterror())
    pixels = source.read_image(oiio.FLOAT)
    source.close()
    if pixels is None:
        raise RuntimeError(path + " cannot be read")
    pixels = pixels.reshape(pixels.shape[0], pixels.shape[1], -1)
    return pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)


def _fitted(pixels, width, height):
    """Stretched to another size by the nearest pixel."""
    import numpy as np

    rows = np.arange(height) * pixels.shape[0] // height
    columns = np.arange(width) * pixels.shape[1] // width
    return pixels[rows][:, columns]


def _facts(path):
    import OpenImageIO as oiio

    source = oiio.ImageInput.open(path)
    if source is None:
        oiio.geterror()
        return [0, 0, ""]
    spec = source.spec()
    source.close()
    return [spec.width, spec.height, spec.get_string_attribute("smpte:TimeCode")]
