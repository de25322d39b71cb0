"""Markers, which timelines, items and clips have alike: kept as a list in the order of their frames."""

from __future__ import annotations

from .. import facts
from .base import Model

_FIELDS = ("color", "duration", "note", "name", "customData")


class Marked(Model):
    """The marker calls over `data["markers"]`; a frame counts from the start of what is marked."""

    def AddMarker(self, frame, color, name, note, duration, custom=""):
        """Refuses a colour that there is not, a frame before the start and one that has a marker."""
        if color not in facts.MARKER_COLORS or frame < 0 or duration < 1 or self._at(frame):
            return False
        marker = {"frame": float(frame), "color": color, "duration": float(duration), "note": note, "name": name}
        self.data["markers"].append(dict(marker, customData=custom or ""))
        self.data["markers"].sort(key=lambda one: one["frame"])
        return True

    def GetMarkers(self):
        return {one["frame"]: {key: one[key] for key in _FIELDS} for one in self.data["markers"]}

    def GetMarkerByCustomData(self, custom):
        found = [one for one in self.data["markers"] if one["customData"] == custom]
        return {key: found[0][key] for key in _FIELDS} if found else {}

    def UpdateMarkerCustomData(self, frame, custom):
        marker = self._at(frame)
        if marker:
            marker["customData"] = custom
        return bool(marker)

    def GetMarkerCustomData(self, frame):
        marker = self._at(frame)
        return marker["customData"] if marker else ""

    def DeleteMarkerAtFrame(self, frame):
        return self._delete(self._at(frame))

    def DeleteMarkerByCustomData(self, custom):
        """The first that matches; an empty one matches any marker without data, so it must never be given."""
        if not custom:
            raise self.bench.breach(ValueError("DeleteMarkerByCustomData without data takes a marker of the user's"))
        return self._delete(next((one for one in self.data["markers"] if one["customData"] == custom), None))

    def _at(self, frame):
        return next((one for one in self.data["markers"] if one["frame"] == frame), None)

    def _delete(self, marker):
        if marker:
            self.data["markers"].remove(marker)
        return bool(marker)


class Coloured(Model):
    """The clip colour of an item or a clip."""

    def GetClipColor(self):
        return self.data["color"]

    def SetClipColor(self, color):
        """A generator or title answers True and stores nothing (resolve-mcp's ledger, Studio 19.1.3)."""
        if color not in facts.CLIP_COLORS:
            return False
        if self.data["kind"] not in ("generator", "title") and self.stored("Clip Color"):
            self.data["color"] = color
        return True

    def ClearClipColor(self):
        self.data["color"] = ""
        return True
