"""A picture: float32 planes by channel name over a box, within a format."""

import numpy as np

RGBA = ("rgba.red", "rgba.green", "rgba.blue", "rgba.alpha")


class Picture:
    """Planes of one size. Boxes are left, top, right, bottom, y down, right and bottom excluded."""

    def __init__(self, size, box=None, planes=None, pixel_aspect=1.0, attributes=None):
        self.size = tuple(size)
        """Width and height of the format, whose top left corner is 0, 0."""
        self.box = tuple(box) if box else (0, 0, *self.size)
        self.planes = dict(planes or {})
        self.pixel_aspect = pixel_aspect
        self.attributes = dict(attributes or {})

    @property
    def shape(self):
        left, top, right, bottom = self.box
        return bottom - top, right - left

    def plane(self, name):
        """One channel; zeros when there is none of the name."""
        found = self.planes.get(name)
        return found if found is not None else np.zeros(self.shape, np.float32)

    def like(self, planes):
        """The same frame with other planes."""
        return Picture(self.size, self.box, planes, self.pixel_aspect, self.attributes)

    def within(self, box):
        """The same picture over another box; black where it had nothing."""
        if box == self.box:
            return self
        left, top, right, bottom = box
        planes = {}
        inner = (max(left, self.box[0]), max(top, self.box[1]), min(right, self.box[2]), min(bottom, self.box[3]))
        for name, plane in self.planes.items():
            made = np.zeros((bottom - top, right - left), np.float32)
            if inner[0] < inner[2] and inner[1] < inner[3]:
                rows = slice(inner[1] - self.box[1], inner[3] - self.box[1])
                columns = slice(inner[0] - self.box[0], inner[2] - self.box[0])
                made[inner[1] - top : inner[3] - top, inner[0] - left : inner[2] - left] = plane[rows, columns]
            planes[name] = made
        return Picture(self.size, box, planes, self.pixel_aspect, self.attributes)


def union(*boxes):
    """The smallest box around several."""
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )


def chosen(mask, names):
    """The channels that a channel mask means, among those there are; rgba is always there to be asked for."""
    if mask == "all":
        return list(names)
    found = []
    for part in mask.split():
        if part == "none":
            continue
        if part in ("rgb", "rgba"):
            found += RGBA[: len(part)]
        elif part in ("alpha", "a"):
            found.append("rgba.alpha")
        elif part in ("red", "green", "blue"):
            found.append("rgba." + part)
        elif "." in part:
            found.append(part)
        else:
            found += [name for name in names if name.startswith(part + ".")]
    return list(dict.fromkeys(found))
