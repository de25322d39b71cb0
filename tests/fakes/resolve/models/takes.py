"""Takes: versions of an item in its place."""

from __future__ import annotations

from ..media import frames_of
from .base import Model
from .placing import zero_of


class Takes(Model):
    """The take calls of an item; `data["takes"]` is empty until the first AddTake makes a selector of it."""

    def AddTake(self, media, start=None, end=None):
        """Refuses what is no clip, a range that the media does not have, and a locked track. Selects nothing."""
        clip = self.given(media)
        if clip is None or self.data["kind"] != "clip" or self._locked():
            return False
        zero = zero_of(clip, self.knobs)
        first = 0 if start is None else start - zero
        stop = frames_of(clip) if end is None else end + self.knobs.end_inclusive - zero
        if not 0 <= first < stop <= frames_of(clip):
            return False
        takes = self.data["takes"]
        if not takes:
            own = self.data["offset"]
            takes.append({"media": self.data["media"], "start": own, "end": own + self.data["duration"]})
            self.data["take"] = 1
        takes.append({"media": clip["id"], "start": first, "end": stop})
        return self.SelectTakeByIndex(len(takes)) if self.knobs.take_selects else True

    def GetTakesCount(self):
        """0 as well for a timeline that is not current (danielbaldwin47, ADR 0004, Studio 21.0.3)."""
        return len(self.data["takes"]) if self._current() else 0

    def GetSelectedTakeIndex(self):
        return self.data["take"] if self.data["takes"] else 0

    def GetTakeByIndex(self, index):
        if not self._has(index):
            return {}
        take = self.data["takes"][index - 1]
        media, zero = (
            self.bench.handle("MediaPoolItem", take["media"]),
            zero_of(self.world.clip(take["media"]), self.knobs),
        )
        end = take["end"] + zero - self.knobs.end_inclusive
        return {"startFrame": take["start"] + zero, "endFrame": end, "mediaPoolItem": media}

    def SelectTakeByIndex(self, index):
        if not self._has(index) or self._locked():
            return False
        take = self.data["takes"][index - 1]
        self.data.update(take=index, media=take["media"], offset=take["start"])
        return True

    def DeleteTakeByIndex(self, index):
        """Not the selected one while there is another; the selector stays until FinalizeTake."""
        if not self._has(index) or self._locked() or (index == self.data["take"]):
            return False
        self.data["takes"].pop(index - 1)
        if index < self.data["take"]:
            self.data["take"] -= 1
        return True

    def FinalizeTake(self):
        """Ends the selector with the take that is selected."""
        if not self.data["takes"] or self._locked():
            return False
        self.data.update(takes=[], take=0)
        return True

    def _has(self, index):
        return 1 <= index <= len(self.data["takes"])

    def _current(self):
        return self.world.place_of(self.data["id"])[0] is self.world.timeline

    def _locked(self):
        timeline, kind, number, _ = self.world.place_of(self.data["id"])
        return timeline["tracks"][kind][number - 1]["locked"]
