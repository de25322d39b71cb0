"""EXR files as the fake Nuke reads and writes them, through OpenImageIO."""

import errno
import os
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
from pictures import RGBA, Picture, chosen, union

_SHORT = {"R": "rgba.red", "G": "rgba.green", "B": "rgba.blue", "A": "rgba.alpha", "Z": "depth.Z"}
_COLOURS = {"R": "red", "G": "green", "B": "blue", "A": "alpha"}
COMPRESSIONS = {
    "none": "none",
    "Zip (1 scanline)": "zips",
    "Zip (16 scanlines)": "zip",
    "PIZ Wavelet (32 scanlines)": "piz",
    "RLE": "rle",
    "B44": "b44",
    "B44A": "b44a",
    "DWAA": "dwaa:45",
    "DWAB": "dwab:45",
}


class MissingChannel(Exception):
    """Channels are to be written that the picture has not."""


def nuke_name(name):
    """How Nuke calls a channel of a file."""
    if name in _SHORT:
        return _SHORT[name]
    layer, dot, channel = name.rpartition(".")
    return f"{layer}.{_COLOURS.get(channel, channel)}" if dot else f"other.{name}"


def file_name(name):
    """How a channel of Nuke's is called in a file."""
    return {long: short for short, long in _SHORT.items()}.get(name, name)


def _open(path):
    if not Path(path).is_file():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    file = oiio.ImageInput.open(path)
    if file is None:
        raise OSError(errno.EIO, oiio.geterror(), path)
    return file


def header(path):
    """Size, data window (y up, as Nuke shows it), channels, pixel aspect and metadata; None for no readable file."""
    try:
        file = _open(path)
    except OSError:
        return None
    spec = file.spec()
    file.close()
    bottom = spec.full_height - (spec.y - spec.full_y) - spec.height
    left = spec.x - spec.full_x
    return {
        "size": [spec.full_width, spec.full_height],
        "pixel_aspect": spec.get_float_attribute("PixelAspectRatio", 1.0),
        "box": [left, bottom, left + spec.width, bottom + spec.height],
        "channels": [nuke_name(name) for name in spec.channelnames],
        "metadata": {
            "input/filename": path,
            "input/width": spec.full_width,
            "input/height": spec.full_height,
            "input/bitsperchannel": "16-bit half float" if str(spec.format) == "half" else "32-bit float",
            **{f"exr/{attribute.name}": str(attribute.value) for attribute in spec.extra_attribs},
        },
    }


def read(path):
    """The picture in a file, black around its data window."""
    file = _open(path)
    spec = file.spec()
    pixels = file.read_image(oiio.FLOAT)
    problem = file.geterror()
    file.close()
    if pixels is None or problem:
        raise OSError(errno.EIO, problem or "cannot be read", path)
    pixels = np.asarray(pixels, np.float32).reshape(spec.height, spec.width, spec.nchannels)
    left, top = spec.x - spec.full_x, spec.y - spec.full_y
    planes = {nuke_name(name): pixels[:, :, index] for index, name in enumerate(spec.channelnames)}
    attributes = {name: spec.getattribute(name) for name in ("smpte:TimeCode",) if spec.getattribute(name) is not None}
    size = (spec.full_width, spec.full_height)
    aspect = spec.get_float_attribute("PixelAspectRatio", 1.0)
    picture = Picture(size, (left, top, left + spec.width, top + spec.height), planes, aspect, attributes)
    return picture.within(union(picture.box, (0, 0, *size)))


def write(picture, how):
    """Writes a frame: to a name beside it first, so that no half file stands under its own."""
    path = Path(how["path"])
    if how["create_directories"]:
        path.parent.mkdir(parents=True, exist_ok=True)
    names = chosen(how["channels"], list(picture.planes))
    if not names or any(name not in picture.planes and name not in RGBA for name in names):
        raise MissingChannel(how["channels"])
    half = how["datatype"].startswith("16")
    left, top, right, bottom = picture.box
    spec = oiio.ImageSpec(right - left, bottom - top, len(names), "half" if half else "float")
    spec.x, spec.y = left, top
    spec.full_x = spec.full_y = 0
    spec.full_width, spec.full_height = picture.size
    spec.channelnames = tuple(file_name(name) for name in names)
    spec.attribute("compression", COMPRESSIONS[how["compression"]])
    spec.attribute("PixelAspectRatio", float(picture.pixel_aspect))
    for name, value in picture.attributes.items():
        spec.attribute(name, oiio.TypeDesc("timecode"), value)
    pixels = np.ascontiguousarray(np.stack([picture.plane(name) for name in names], axis=-1))
    if how["fail"]:
        # What a full disk leaves behind: the beginning of a file, under the name it was to have.
        path.write_bytes(b"\x76\x2f\x31\x01" + b"\0" * 60)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), how["path"])
    part = path.with_name(path.name + ".tmp")
    part.touch()  # for the system's own words, where that is not possible
    output = oiio.ImageOutput.create("exr")
    written = output.open(str(part), spec) and output.write_image(pixels)
    problem = output.geterror()
    output.close()
    if not written:
        part.unlink(missing_ok=True)
        raise OSError(errno.EIO, problem, how["path"])
    part.replace(path)
