"""What is on the tracks of a timeline of Resolve, and the markers of both.

Frames of the record side are absolute, with the hour that a timeline usually starts at; ends are exclusive. A marker
of a timeline stands at an offset from its start, one of an item at a frame of the clip.
"""

from typing import Any, Dict, List, NamedTuple, Optional

from void_plugin.hosts.resolve_calls import Named, Wrapped, refused, whole
from void_plugin.hosts.resolve_media import Clip
from void_plugin.hosts.resolve_saver import Comp

VIDEO = "video"
EDIT_FIX = "open the Edit page and try again"


class Marker(NamedTuple):
    """A marker as Resolve keeps it."""

    frame: int
    color: str
    name: str
    note: str
    duration: int
    data: str


class Take(NamedTuple):
    """One take of an item."""

    number: int
    clip: Optional[Clip]
    start: Optional[int]
    end: Optional[int]


class Marked(Named):
    """What carries markers."""

    def markers(self) -> List[Marker]:
        """All of its markers by frame."""
        found = []
        for frame, item in self._map("GetMarkers").items():
            if isinstance(item, dict):
                texts = [str(item.get(key) or "") for key in ("color", "name", "note")]
                length = whole(item.get("duration")) or 1
                found.append(
                    Marker(int(frame), texts[0], texts[1], texts[2], length, str(item.get("customData") or ""))
                )
        return sorted(found)

    def add_marker(self, marker: Marker) -> bool:
        """Set a marker; True where it reads back. Resolve has one marker a frame and keeps the older one."""
        self._call("AddMarker", marker.frame, marker.color, marker.name, marker.note, marker.duration, marker.data)
        return marker in self.markers()

    def delete_marker(self, data: str) -> bool:
        """Delete the marker with exactly this custom data, never with none; True where it is gone."""
        if not data:
            raise refused(self.OF + ".DeleteMarkerByCustomData", [data], "would delete what is not ours")
        self._call("DeleteMarkerByCustomData", data)
        return all(marker.data != data for marker in self.markers())


class Item(Marked):
    """A clip, generator, title or transition on a track."""

    OF = "TimelineItem"

    def set_name(self, name: str) -> bool:
        """Rename it; True where it has that name then. Resolve before 20 cannot."""
        if not self.has("SetName"):
            return False
        self._call("SetName", name)
        return self.name() == name

    def is_ghost(self) -> bool:
        """True for a handle to nothing: refused items may come back as one."""
        return self._whole("GetStart") is None

    def start(self) -> int:
        """First frame on the record side."""
        return self._frame("GetStart")

    def end(self) -> int:
        """The frame after its last one on the record side."""
        return self._frame("GetEnd")

    def duration(self) -> int:
        """Frames on the record side."""
        return self._frame("GetDuration")

    def left_offset(self) -> Optional[int]:
        """Frames of media before its first one, exact at 100 percent; None where Resolve does not say."""
        return self._whole("GetLeftOffset")

    def source_span(self) -> Optional[int]:
        """Frames of media that it shows, give or take one, below zero backwards; None where Resolve does not say.

        Only a witness of retimes: the start itself is off by one at times, so it is never used to place anything.
        """
        start, end = self._whole("GetSourceStartFrame"), self._whole("GetSourceEndFrame")
        if start is None or end is None or start == end == 0:
            return None
        return end - start

    def media(self) -> Optional[Clip]:
        """The clip that it shows; None for generators, titles and transitions."""
        raw = self._call("GetMediaPoolItem")
        return Clip(raw) if raw else None

    def properties(self) -> Dict[str, Any]:
        """Pan, Tilt, ZoomX and so on; empty for transitions. Speed is not among them."""
        return self._map("GetProperty")

    def set_property(self, key: str, value: Any) -> bool:
        """Set one of them; True where it reads back."""
        self._call("SetProperty", key, value)
        return bool(self.properties().get(key) == value)

    def color(self) -> str:
        """Its clip colour; empty for none."""
        return self._text("GetClipColor")

    def set_color(self, color: str) -> bool:
        """Give it one of the sixteen clip colours; True where it has it then."""
        self._call("SetClipColor", color)
        return self.color() == color

    def is_enabled(self) -> bool:
        """False where it is switched off."""
        return self._yes("GetClipEnabled")

    def fusion_comps(self) -> List[str]:
        """Names of its Fusion compositions."""
        return [str(name) for name in self._list("GetFusionCompNameList")]

    def fusion_comp(self, name: str) -> Comp:
        """One of its Fusion compositions. Raises HostError where it has none of that name."""
        return Comp(self._must("GetFusionCompByName", name, fix="see that the clip has its Fusion composition"))

    def nodes(self) -> Optional[int]:
        """How many nodes its grade has; None where Resolve does not say."""
        graph = self._call("GetNodeGraph") if self.has("GetNodeGraph") else None
        return Graph(graph).nodes() if graph else None

    def copy_grade_to(self, others: List["Item"]) -> bool:
        """Copy its grade to other items; Resolve's word for it, which nothing can check."""
        return self._yes("CopyGrades", others)

    # -- takes -----------------------------------------------------------------------------------------------

    def takes(self) -> List[Take]:
        """Its takes; none where it has only what it shows."""
        found = []
        for number in range(1, (self._whole("GetTakesCount") or 0) + 1):
            info = self._map("GetTakeByIndex", number)
            raw = info.get("mediaPoolItem")
            clip = Clip(raw) if raw else None
            found.append(Take(number, clip, whole(info.get("startFrame")), whole(info.get("endFrame"))))
        return found

    def selected_take(self) -> int:
        """Number of the take that it shows; 0 where it has none."""
        return self._whole("GetSelectedTakeIndex") or 0

    def add_take(self, clip: Clip, start: int, end: int) -> int:
        """Add a take of these media frames and return its number; 0 where Resolve has added none."""
        before = len(self.takes())
        self._call("AddTake", clip, start, end)
        after = len(self.takes())
        return after if after > before else 0

    def select_take(self, number: int) -> bool:
        """Show a take; True where it is selected then."""
        self._call("SelectTakeByIndex", number)
        return self.selected_take() == number

    def delete_take(self, number: int) -> bool:
        """Delete a take; True where there is one less."""
        before = len(self.takes())
        self._call("DeleteTakeByIndex", number)
        return len(self.takes()) == before - 1

    def end_takes(self) -> bool:
        """Keep only the take that it shows; True where it has none to choose from then."""
        self._call("FinalizeTake")
        return not self.takes()


class Graph(Wrapped):
    """The nodes of a grade."""

    OF = "Graph"

    def nodes(self) -> Optional[int]:
        """How many there are."""
        return self._whole("GetNumNodes")
