"""An item on a timeline: a clip, a transition, a generator or a title."""

from __future__ import annotations

import math

from .. import facts
from ..media import frames_of
from .base import Model
from .markers import Coloured, Marked
from .takes import Takes


class Item(Takes, Marked, Coloured):
    @property
    def place(self):
        """Timeline, track type, track number."""
        return self.world.place_of(self.data["id"])[:3]

    @property
    def media(self):
        return self.world.clip(self.data["media"]) if self.data["media"] else None

    def GetName(self):
        return self.data["name"]

    def SetName(self, name):
        if not name or self.data["kind"] == "transition":
            return False
        self.data["name"] = name
        return True

    def GetUniqueId(self):
        return self.data["id"]

    def GetMediaPoolItem(self):
        """None for a transition, a generator and a title."""
        return self.bench.handle("MediaPoolItem", self.data["media"]) if self.media else None

    def GetTrackTypeAndIndex(self):
        _, kind, number = self.place
        return [kind, number]

    # -- time
    def GetStart(self, subframe=False):
        return self.data["start"]

    def GetEnd(self, subframe=False):
        return self.data["start"] + self.data["duration"]

    def GetDuration(self, subframe=False):
        return self.data["duration"]

    def GetLeftOffset(self, subframe=False):
        return self.data["offset"] if subframe else math.floor(self.data["offset"])

    def GetRightOffset(self, subframe=False):
        return frames_of(self.media) - self._source_end() if self.media else 0

    def GetSourceStartFrame(self):
        """Slips by one on some frames (two projects): never for placement."""
        if not self.media or self.knobs.source_unknown:
            return 0
        return math.floor(self.data["offset"]) - self.knobs.source_start_slip

    def GetSourceEndFrame(self):
        """Its distance from the start is the record duration times the speed."""
        if not self.media or self.knobs.source_unknown:
            return 0
        return self._source_end() - self.knobs.source_end_inclusive

    def GetSourceStartTime(self):
        return self._seconds(self.data["offset"])

    def GetSourceEndTime(self):
        return self._seconds(self._source_end())

    def _seconds(self, index):
        return (self.media["start_tc"] + index) / self.media["fps"] if self.media else 0.0

    def _source_end(self):
        passed = self.data["duration"]
        return math.floor(self.data["offset"]) + round(passed * self.data["speed"] + self.data["ramp"] * passed**2)

    # -- looks
    def GetProperty(self, key=None):
        """All or one; unknown keys, speed among them, are a breach. Transitions have none (resolve-mcp's ledger)."""
        if self.data["kind"] == "transition":
            return {} if key is None else None
        found = dict(facts.ITEM_PROPERTIES, **self.data["properties"])
        if key is None:
            return found
        if key not in found:
            raise self.bench.breach(KeyError("items have no property " + repr(key)))
        return found[key]

    def SetProperty(self, key, value):
        if key not in facts.ITEM_PROPERTIES:
            raise self.bench.breach(KeyError("items have no property " + repr(key)))
        if isinstance(value, bool) != isinstance(facts.ITEM_PROPERTIES[key], bool) or not isinstance(
            value, (int, float)
        ):
            return False
        if self.stored(key):
            self.data["properties"][key] = value
        return True

    def CopyGrades(self, targets):
        """Onto items of the same timeline."""
        found = [self.given(target) for target in targets]
        if not found or None in found:
            return False
        for target in found:
            target["grade"] = dict(self.data["grade"])
        return True

    def GetNodeGraph(self, layer=None):
        return self.bench.handle("Graph", self.data["id"]) if self.data["kind"] != "transition" else None

    def GetClipEnabled(self):
        return self.data["enabled"]

    def SetClipEnabled(self, enabled):
        self.data["enabled"] = enabled
        return True

    def GetLinkedItems(self):
        return []

    def GetFlagList(self):
        return []

    # -- Fusion
    def GetFusionCompCount(self):
        return len(self.data["fusion"])

    def GetFusionCompNameList(self):
        return list(self.data["fusion"])

    def GetFusionCompByName(self, name):
        return self.bench.handle("FusionComp", self.data["id"] + "|" + name) if name in self.data["fusion"] else None

    def CreateMagicMask(self, mode):
        """Tracks an operator's click, which no script can make (resolve-mcp's ledger)."""
        return False


class Graph(Model):
    """The grade of an item; its data is the item's. What the nodes do cannot be read."""

    def GetNumNodes(self):
        return self.data["grade"].get("nodes", 1)

    def GetNodeLabel(self, number):
        return ""

    def GetToolsInNode(self, number):
        """Not all of a grade is listed as tools."""
        return list(self.data["grade"].get("tools", []))
