"""What a temporary OTIO export of the timeline tells of each clip and the editor's own script calls do not.

Those can neither read a speed nor see a transition, and some of their in-points are off by a frame.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from void_plugin.errors import VoidError
from void_plugin.live.hostside import HostSide
from void_plugin.live.timelinefacts import LiveShot

if TYPE_CHECKING:
    from void_plugin.editorial.sights import Sight

Sights = Mapping[str, "Sight"]
"""What is seen of each clip, by its id; clips that are not seen are not in it."""


def look(host: HostSide, shots: Sequence[LiveShot]) -> tuple[Sights, str]:
    """What an export shows of each clip; and why nothing could be seen, as a sentence, empty where it could."""
    try:
        from void_plugin.editorial.sights import sights_of
    except ModuleNotFoundError as error:
        if error.name != "opentimelineio":
            raise
        return {}, (
            "OpenTimelineIO is not installed here (pip install 'void_plugin[otio]'), so speed changes and transitions "
            "cannot be seen."
        )
    with tempfile.TemporaryDirectory(prefix="void_") as folder:
        try:
            path = host.timeline_otio((Path(folder) / "timeline.otio").as_posix())
            found = sights_of(path, [(shot.track, *shot.record) for shot in shots])
        except VoidError as error:
            return {}, f"Speed changes and transitions could not be seen in an OTIO export: {error.message}"
    return {shot.id: sight for shot, sight in zip(shots, found, strict=True) if sight is not None}, ""
