"""How far two pictures show the same detail in the same place, whatever their colours and light."""

from __future__ import annotations

from void_server.pixelmath import Field, PixelMath

FINE, COARSE, AROUND = 0.7, 3.0, 4.0
"""Gaussian sigmas in raster pixels of the band of detail that is compared, and of the neighbourhood it is summed in."""
FAINT = 0.004
"""Detail below this many code values is noise, which says nothing of motion: such places count as the same."""


def agreement(maths: PixelMath, picture: Field, plate: Field, pixel: float) -> Field:
    """The correlation of their detail, -1..1, and 1 where both have none; one channel. `pixel` is a raster pixel."""
    bands = [maths.gaussian(each, FINE * pixel) - maths.gaussian(each, COARSE * pixel) for each in (picture, plate)]
    grey = [band[..., :1] + band[..., 1:2] + band[..., 2:3] for band in bands]
    both = maths.gaussian(grey[0] * grey[1], AROUND * pixel)
    ones = [maths.gaussian(band * band, AROUND * pixel) for band in grey]
    alike = both / maths.root(ones[0] * ones[1] + 1e-12)
    faint = (3 * FAINT) ** 2
    return maths.where((ones[0] < faint) & (ones[1] < faint), alike * 0 + 1, alike)
