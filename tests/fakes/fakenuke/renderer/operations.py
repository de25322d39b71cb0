"""What the fake Nuke can do to pictures, one function an operation, in float32 as Nuke's own nodes compute.

The formulas of merging are those of Foundry's reference page of the Merge node: A is above, B below, a and b their
alphas. Where a mask or mix is 0 the lower picture passes untouched, where it is 1 the result does.
"""

import exrfiles
import numpy as np
from pictures import RGBA, Picture, chosen, union

ONE = np.float32(1)
_MERGES = {
    "atop": lambda A, B, a, b: A * b + B * (ONE - a),
    "copy": lambda A, B, a, b: A,
    "difference": lambda A, B, a, b: np.abs(A - B),
    "divide": lambda A, B, a, b: A / B,
    "from": lambda A, B, a, b: B - A,
    "in": lambda A, B, a, b: A * b,
    "mask": lambda A, B, a, b: B * a,
    "matte": lambda A, B, a, b: A * a + B * (ONE - a),
    "max": lambda A, B, a, b: np.maximum(A, B),
    "min": lambda A, B, a, b: np.minimum(A, B),
    "minus": lambda A, B, a, b: A - B,
    "multiply": lambda A, B, a, b: A * B,
    "out": lambda A, B, a, b: A * (ONE - b),
    "over": lambda A, B, a, b: A + B * (ONE - a),
    "plus": lambda A, B, a, b: A + B,
    "screen": lambda A, B, a, b: A + B - A * B,
    "stencil": lambda A, B, a, b: B * (ONE - a),
    "under": lambda A, B, a, b: A * (ONE - b) + B,
}
_CHANNEL_MERGES = {
    "absminus": lambda A, B: np.abs(A - B),
    "from": lambda A, B: B - A,
    "in": lambda A, B: A * B,
    "max": np.maximum,
    "min": np.minimum,
    "minus": lambda A, B: A - B,
    "multiply": lambda A, B: A * B,
    "out": lambda A, B: A * (ONE - B),
    "plus": lambda A, B: A + B,
    "screen": lambda A, B: A + B - A * B,
    "stencil": lambda A, B: B * (ONE - A),
    "union": lambda A, B: A + B - A * B,
}


class Unfit(Exception):
    """An order that these operations cannot carry out."""


class Unreadable(Exception):
    """A file that a Read cannot give a picture of, in Nuke's words."""


def mixed(below, result, weight):
    """Between two planes, exact at both ends."""
    blended = below + (result - below) * weight
    return np.where(weight == 0, below, np.where(weight == ONE, result, blended)).astype(np.float32)


def _together(*pictures):
    first = pictures[0]
    box = union(first.box, *[picture.box for picture in pictures[1:] if picture is not None and picture.planes])
    return [
        (picture if picture is not None else Picture(first.size, box, {}, first.pixel_aspect)).within(box)
        for picture in pictures
    ]


def black(how, inputs):
    return Picture(how["size"], pixel_aspect=how["pixel_aspect"])


def read(how, inputs):
    errors = how["on_error"]
    try:
        return exrfiles.read(how["path"])
    except OSError as error:
        if errors == "nearest frame":
            for path in how["others"]:
                try:
                    return exrfiles.read(path)
                except OSError:
                    continue
        if errors in ("error", "nearest frame"):
            raise Unreadable(f"{how['node']}: {how['path']}: Read error: {error.strerror}") from None
        if errors == "checkerboard":
            return checkerboard({**how, "boxsize": [64, 64], "colours": [[0.1] * 3 + [1.0], [0.5] * 3 + [1.0]]}, [])
    return black(how, inputs)


def constant(how, inputs):
    made = black(how, inputs)
    values = dict(zip(RGBA, how["colour"], strict=True))
    return made.like({name: np.full(made.shape, values.get(name, 0), np.float32) for name in how["channels"]})


def checkerboard(how, inputs):
    made = black(how, inputs)
    rows, columns = np.indices(made.shape)
    second = ((rows // int(how["boxsize"][1])) + (columns // int(how["boxsize"][0]))) % 2 == 1
    first_colour, second_colour = how["colours"]
    return made.like(
        {
            name: np.where(second, np.float32(second_colour[index]), np.float32(first_colour[index]))
            for index, name in enumerate(RGBA)
        }
    )


def merge(how, inputs):
    below, above, mask = _together(*inputs)
    formula = _MERGES.get(how["operation"])
    if formula is None:
        raise Unfit(f"the Merge2 operation {how['operation']!r} is not modelled")
    a, b = above.plane("rgba.alpha"), below.plane("rgba.alpha")
    planes = {name: below.plane(name) for name in [*RGBA, *below.planes]}
    for name in chosen(how["output"], RGBA):
        base = planes[name]
        result = formula(above.plane(name), base, a, b).astype(np.float32)
        planes[name] = _weighted(base, result, how, mask)
    return below.like(planes)


def _weighted(base, result, how, mask):
    if how["mask"] == "none" and how["mix"] == 1:
        return result
    weight = np.full(base.shape, how["mix"], np.float32)
    if how["mask"] != "none":
        matte = mask.plane(how["mask"])
        weight = weight * (ONE - matte if how["invert_mask"] else matte)
    return mixed(base, result, weight)


def keymix(how, inputs):
    below, above, mask = _together(*inputs)
    matte = mask.plane(how["mask"])
    weight = (ONE - matte if how["invert_mask"] else matte) * np.float32(how["mix"])
    names = chosen(how["channels"], list(dict.fromkeys([*below.planes, *above.planes])))
    changed = {name: mixed(below.plane(name), above.plane(name), weight) for name in names}
    return below.like({**below.planes, **changed})


def channelmerge(how, inputs):
    below, above = _together(*inputs)
    formula = _CHANNEL_MERGES.get(how["operation"])
    if formula is None:
        raise Unfit(f"the ChannelMerge operation {how['operation']!r} is not modelled")
    base = below.plane(how["output"])
    result = formula(above.plane(how["A"]), below.plane(how["B"])).astype(np.float32)
    return below.like({**below.planes, how["output"]: mixed(base, result, np.float32(how["mix"]))})


def copy(how, inputs):
    below, above = _together(*inputs)
    planes = dict(below.planes)
    for source, target in how["pairs"]:
        planes[target] = above.plane(source)
    for name in chosen(how["channels"], list(above.planes)):
        planes[name] = above.plane(name)
    return below.like(planes)


def shuffle(how, inputs):
    below, above = _together(*inputs)
    planes = dict(below.planes)
    for source, side, target in how["pairs"]:
        if source in ("black", "white"):
            planes[target] = np.full(below.shape, source == "white", np.float32)
        else:
            planes[target] = (above if side else below).plane(source)
    return below.like(planes)


def _on_channels(change):
    """An operation that changes the chosen planes of one picture, under its mask and mix."""

    def run(how, inputs):
        given, mask = _together(*inputs)
        planes = dict(given.planes)
        for name in chosen(how["channels"], list(given.planes)):
            result = change(how, given, name).astype(np.float32)
            planes[name] = _weighted(given.plane(name), result, how, mask)
        return given.like(planes)

    return run


def _factor(how, given, name):
    index = RGBA.index(name) if name in RGBA else 0
    return given.plane(name) * np.float32(how["value"][index])


def _clamped(how, given, name):
    return np.clip(given.plane(name), how["minimum"], how["maximum"])


def _divided(how, given, name):
    alpha = given.plane(how["alpha"])
    return np.where(alpha == 0, given.plane(name), given.plane(name) / np.where(alpha == 0, ONE, alpha))


def keep(how, inputs):
    given = inputs[0]
    names = set(chosen(how["channels"], list(given.planes)))
    return given.like({name: plane for name, plane in given.planes.items() if (name in names) == how["keep"]})


def add(how, inputs):
    given = inputs[0]
    values = dict(zip(RGBA, how["colour"], strict=True))
    planes = dict(given.planes)
    for name in how["channels"]:
        planes.setdefault(name, np.full(given.shape, values.get(name, 0), np.float32))
    return given.like(planes)


def crop(how, inputs):
    given = inputs[0]
    left, bottom, right, top = (int(number) for number in how["box"])
    box = (left, given.size[1] - top, right, given.size[1] - bottom)
    return given.within(box).within(union(given.box, (0, 0, *given.size)))


_ALL = {
    "add": add,
    "black": black,
    "channelmerge": channelmerge,
    "checkerboard": checkerboard,
    "clamp": _on_channels(_clamped),
    "constant": constant,
    "copy": copy,
    "crop": crop,
    "invert": _on_channels(lambda how, given, name: ONE - given.plane(name)),
    "keep": keep,
    "keymix": keymix,
    "merge": merge,
    "multiply": _on_channels(_factor),
    "premult": _on_channels(lambda how, given, name: given.plane(name) * given.plane(how["alpha"])),
    "read": read,
    "shuffle": shuffle,
    "unpremult": _on_channels(_divided),
}


def run(how, inputs):
    """The picture that one operation makes of its inputs."""
    return _ALL[how["operation_name"]](how, inputs)
