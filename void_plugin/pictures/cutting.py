"""Cuts an object out of a picture by GrabCut, from a rough box or lines, or along the edge of a matte that is close."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import RequestError

SURROUNDINGS = 0.6
"""How much around a box, as a share of its sides, tells what the background looks like."""
ITERATIONS, TOUCH_ITERATIONS = 6, 2
"""Rounds of GrabCut on a key frame, and on a frame between, which begins close to its end."""
BAND = 0.012
"""Share of the object's longer side by which a cut may leave what both carried mattes say."""
AGREED = 0.95
"""Above this, and below what is left to 1, both carried mattes say the same."""
RIM = 0.025
"""Share of the object's longer side to either side of a cut in which its edge may be blurred."""
CODES, FLOOR = 16.0, 3.0
"""Codes that stand for one deviation of the ground's colour, and the least deviation in codes."""
ALIKE = 0.02
"""Linear light: object and ground closer than this cannot be told apart by colour."""
SCRIBBLE_REACH = 0.5
"""How far around a scribble, as a share of its sides, the object may reach."""

Picture = NDArray[np.uint8]
"""(height, width, 3), 8 bits, blue first."""
Matte = NDArray[np.float32]
Mask = NDArray[np.uint8]
Point = tuple[float, float]
Lines = tuple[tuple[Point, ...], ...]
Rectangle = tuple[int, int, int, int]
"""x0, y0, x1, y1, y down, ends excluded."""


@dataclass(frozen=True)
class Key:
    """What somebody has drawn on one frame; all in pixels of the plate."""

    box: tuple[float, float, float, float] | None = None
    """x0, y0, x1, y1 around the object; None where there are only scribbles."""
    inside: Lines = ()
    """Lines on the object."""
    outside: Lines = ()
    """Lines beside it."""
    width: float = 8.0
    """Of the lines."""

    def scaled(self, scale: float) -> Key:
        """The same on a plate of another size."""

        def lines(given: Lines) -> Lines:
            return tuple(tuple((x * scale, y * scale) for x, y in line) for line in given)

        box = self.box
        if box is not None:
            box = (box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale)
        return Key(box, lines(self.inside), lines(self.outside), self.width * scale)

    def moved(self, right: float, down: float) -> Key:
        """The same on a part of the plate."""

        def lines(given: Lines) -> Lines:
            return tuple(tuple((x + right, y + down) for x, y in line) for line in given)

        box = self.box
        if box is not None:
            box = (box[0] + right, box[1] + down, box[2] + right, box[3] + down)
        return Key(box, lines(self.inside), lines(self.outside), self.width)

    def limits(self) -> tuple[float, float, float, float]:
        """The box outside which there is none of the object. Raises RequestError where nothing was drawn on it."""
        if self.box is not None:
            return self.box
        points = [point for line in self.inside for point in line]
        if not points:
            raise RequestError("A key frame has no box and no line on the object; draw one of them.")
        xs, ys = [x for x, _ in points], [y for _, y in points]
        across = max(max(xs) - min(xs), self.width) * SCRIBBLE_REACH
        down = max(max(ys) - min(ys), self.width) * SCRIBBLE_REACH
        return min(xs) - across, min(ys) - down, max(xs) + across, max(ys) + down


def cut_out(picture: Picture, key: Key) -> Matte:
    """The object of one key frame."""
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = key.limits()
    box = within((x0, y0, x1, y1), 0.0, height, width)
    around = within((x0, y0, x1, y1), SURROUNDINGS, height, width)
    labels = np.full((height, width), cv2.GC_BGD, np.uint8)
    labels[box[1] : box[3], box[0] : box[2]] = cv2.GC_PR_BGD
    labels[_ellipse(box, height, width)] = cv2.GC_PR_FGD  # objects seldom reach into the corners of their box
    for lines, label in ((key.inside, cv2.GC_FGD), (key.outside, cv2.GC_BGD)):
        for line in lines:
            points = np.rint(np.array(line, np.float64)).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(labels, [points], False, (int(label),), max(1, round(key.width)))
    return _soft(picture, _grabcut(picture, labels, around, ITERATIONS))


def refined(picture: Picture, matte: Matte) -> Matte:
    """A carried matte with its edge cut anew within a narrow band; one that has faded away stays as it is."""
    core = (matte > 0.5).astype(np.uint8)
    found = _box_of(core)
    if found is None:
        return matte
    height, width = matte.shape
    reach = max(2, round(BAND * max(found[2] - found[0], found[3] - found[1])))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    labels = np.where(core > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    agreed = (matte > AGREED).astype(np.uint8), (matte > 1 - AGREED).astype(np.uint8)
    labels[cv2.erode(agreed[0], disc, borderType=cv2.BORDER_REPLICATE) > 0] = cv2.GC_FGD
    labels[cv2.dilate(agreed[1], disc) == 0] = cv2.GC_BGD
    if not (labels == cv2.GC_FGD).any():
        labels[core > 0] = cv2.GC_FGD  # too thin for a band
    return _soft(picture, _grabcut(picture, labels, within(found, SURROUNDINGS, height, width), TOUCH_ITERATIONS))


def _grabcut(picture: Picture, labels: Mask, around: Rectangle, rounds: int) -> Mask:
    """1 where GrabCut finds the object; it looks only at the part `around` it."""
    x0, y0, x1, y1 = around
    part = np.ascontiguousarray(labels[y0:y1, x0:x1])
    whole = np.zeros(labels.shape, np.uint8)
    sure = (part == cv2.GC_FGD) | (part == cv2.GC_PR_FGD)
    if not sure.any() or sure.all():
        whole[y0:y1, x0:x1] = sure
        return whole
    cv2.setRNGSeed(1)  # its colour clusters begin at random places, and equal work is to give equal mattes
    models = np.zeros((1, 65)), np.zeros((1, 65))
    told = _told_apart(picture[y0:y1, x0:x1], part == cv2.GC_BGD)
    cv2.grabCut(told, part, (0, 0, 0, 0), *models, rounds, cv2.GC_INIT_WITH_MASK)
    whole[y0:y1, x0:x1] = (part == cv2.GC_FGD) | (part == cv2.GC_PR_FGD)
    return _without_crumbs(whole)


def _without_crumbs(mask: Mask) -> Mask:
    """Without specks and pinholes much smaller than the object."""
    count, numbers, facts, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return mask
    areas = facts[1:, cv2.CC_STAT_AREA]
    kept = np.concatenate([[False], areas >= 0.05 * areas.max()])
    mask = kept[numbers].astype(np.uint8)
    count, numbers, facts, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)
    holes = facts[:, cv2.CC_STAT_AREA] < 0.02 * areas.max()
    holes[0] = False
    return np.asarray(mask | holes[numbers], np.uint8)


def _told_apart(picture: Picture, ground: NDArray[np.bool_]) -> Picture:
    """Colours in units of how much they vary on the ground, so that what varies there anyway makes no edge.

    GrabCut looks at plain distances: the joints of a brick wall would hold the cut more than the rim of an object.
    """
    colours = picture.reshape(-1, 3).astype(np.float32)
    of_ground = colours[ground.reshape(-1)]
    if len(of_ground) < 16:
        return np.ascontiguousarray(picture)
    spread, axes = np.linalg.eigh(np.cov(of_ground.T) + FLOOR**2 * np.eye(3))
    turn = axes @ np.diag(CODES / np.sqrt(spread)) @ axes.T
    apart = (colours - of_ground.mean(0)) @ turn.astype(np.float32) + 128
    return np.ascontiguousarray(np.clip(apart, 0, 255).astype(np.uint8).reshape(picture.shape))


def _soft(picture: Picture, mask: Mask) -> Matte:
    """A cut with the blur that its edge has in the picture: how far colours are on the way from ground to object."""
    whole = np.zeros(mask.shape, np.float32)
    found = _box_of(mask)
    if found is None:
        return whole
    reach = max(2, round(RIM * max(found[2] - found[0], found[3] - found[1])))
    height, width = mask.shape
    room = 8 * reach
    x0, y0 = max(0, found[0] - room), max(0, found[1] - room)
    x1, y1 = min(width, found[2] + room), min(height, found[3] + room)
    whole[y0:y1, x0:x1] = _blurred(picture[y0:y1, x0:x1], np.ascontiguousarray(mask[y0:y1, x0:x1]), reach)
    return whole


def _blurred(picture: Picture, mask: Mask, reach: int) -> Matte:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    inner = cv2.erode(mask, disc, borderType=cv2.BORDER_REPLICATE).astype(np.float32)
    outer = 1 - cv2.dilate(mask, disc).astype(np.float32)
    plain = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)
    light = np.power(picture.astype(np.float32) / np.float32(255), np.float32(2.2))  # blur mixes light, not codes
    front, back = (_spread(light, sure, 2.0 * reach) for sure in (inner, outer))
    across = front - back
    far = (across * across).sum(-1)
    share = np.clip(((light - back) * across).sum(-1) / np.maximum(far, 1e-6), 0, 1)
    share = cv2.medianBlur(share.astype(np.float32), 3)
    trust = far / (far + ALIKE**2)
    soft = np.where(inner > 0, 1, np.where(outer > 0, 0, trust * share + (1 - trust) * plain))
    return np.asarray(soft, np.float32)


def _spread(light: NDArray[np.float32], sure: NDArray[np.float32], reach: float) -> NDArray[np.float32]:
    """The mean colour of the sure pixels around each pixel."""
    weight = cv2.GaussianBlur(sure, (0, 0), reach) + np.float32(1e-6)
    return np.asarray(cv2.GaussianBlur(light * sure[..., None], (0, 0), reach) / weight[..., None], np.float32)


def _ellipse(box: Rectangle, height: int, width: int) -> NDArray[np.bool_]:
    """The pixels of the largest ellipse in a box."""
    x = (np.arange(width) + 0.5 - (box[0] + box[2]) / 2) / ((box[2] - box[0]) / 2)
    y = (np.arange(height) + 0.5 - (box[1] + box[3]) / 2) / ((box[3] - box[1]) / 2)
    return np.asarray(x[None] ** 2 + y[:, None] ** 2 <= 1)


def within(box: tuple[float, float, float, float], grow: float, height: int, width: int) -> Rectangle:
    """A box in whole pixels, larger by a share of its sides, cut to the picture."""
    across, down = grow * (box[2] - box[0]), grow * (box[3] - box[1])
    x0, y0 = int(min(max(0, box[0] - across), width - 1)), int(min(max(0, box[1] - down), height - 1))
    x1, y1 = min(width, int(np.ceil(box[2] + across))), min(height, int(np.ceil(box[3] + down)))
    return x0, y0, max(x0 + 1, x1), max(y0 + 1, y1)


def _box_of(mask: Mask) -> Rectangle | None:
    x, y, wide, high = cv2.boundingRect(mask)
    return (x, y, x + wide, y + high) if wide else None
