"""A project: timelines, settings, and the render queue of its other half."""

from __future__ import annotations

from .presets import Presets
from .queue import Queue


class Project(Queue, Presets):
    def GetName(self):
        return self.data["name"]

    def GetUniqueId(self):
        return self.data["id"]

    def GetMediaPool(self):
        return self.bench.handle("MediaPool", "pool")

    def GetTimelineCount(self):
        return len(self.data["timelines"])

    def GetTimelineByIndex(self, index):
        timelines = self.data["timelines"]
        return self.bench.handle("Timeline", timelines[index - 1]["id"]) if 1 <= index <= len(timelines) else None

    def GetCurrentTimeline(self):
        timeline = self.world.timeline
        return self.bench.handle("Timeline", timeline["id"]) if timeline else None

    def SetCurrentTimeline(self, timeline):
        """Moves the playhead to the start, when switching back too (resolve-mcp's ledger)."""
        found = self.given(timeline)
        if found is None:
            return False
        self.data["timeline"] = found["id"]
        found["playhead"] = found["start"]
        return True

    def GetSetting(self, key=""):
        """All or one; an unknown key is a breach."""
        if not key:
            return dict(self.data["settings"])
        if key not in self.data["settings"]:
            raise self.bench.breach(KeyError("projects have no setting " + repr(key)))
        found = self.data["settings"][key]
        return float(found) if self.knobs.rate_as_number and key.endswith("FrameRate") else found

    def SetSetting(self, key, value):
        """The rate of a project that has timelines is refused."""
        if key not in self.data["settings"]:
            raise self.bench.breach(KeyError("projects have no setting " + repr(key)))
        if key == "timelineFrameRate" and self.data["timelines"]:
            return False
        if self.stored(key):
            self.data["settings"][key] = value
        return True
