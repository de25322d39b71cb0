"""A clip of the media pool."""

from __future__ import annotations

import os

from .. import facts, timecode
from ..media import bracketed, frames_of
from .markers import Coloured, Marked


class Clip(Marked, Coloured):
    def GetName(self):
        return self.data["name"]

    def SetName(self, name):
        if not name:
            return False
        self.data["name"] = name
        return True

    def GetUniqueId(self):
        return self.data["id"]

    def GetMediaId(self):
        return "media-of-" + self.data["id"]

    def GetClipProperty(self, key=None):
        """An unknown key is a breach; Resolve answers an empty text."""
        found = self._properties()
        if not key:
            return found
        if key not in found:
            raise self.bench.breach(KeyError("clips have no property " + repr(key)))
        return found[key]

    def SetClipProperty(self, key, value):
        """True for a property that can be set, stored or not; a rate takes only what is a number."""
        if key == "FPS":
            try:
                rate = float(value)
            except (TypeError, ValueError):
                return False
            if self.stored(key):
                self.data["fps"] = rate
            return True
        if key == "Clip Name":
            return self.SetName(value)
        if key == "Clip Color":
            return self.SetClipColor(value)
        if key not in facts.CLIP_PROPERTIES:
            if key in self._properties():
                return False
            raise self.bench.breach(KeyError("clips have no property " + repr(key)))
        if self.stored(key):
            self.data["properties"][key] = value
        return True

    def GetMetadata(self, key=None):
        return self.data["metadata"].get(key, "") if key else dict(self.data["metadata"])

    def SetMetadata(self, key, value=""):
        self.data["metadata"].update(key if isinstance(key, dict) else {key: value})
        return True

    def GetThirdPartyMetadata(self, key=None):
        return self.data["third_party"].get(key, "") if key else dict(self.data["third_party"])

    def SetThirdPartyMetadata(self, key, value=""):
        self.data["third_party"].update(key if isinstance(key, dict) else {key: value})
        return True

    def GetFlagList(self):
        return []

    def _properties(self):
        clip = self.data
        found = dict(facts.CLIP_PROPERTIES, **clip["properties"])
        count, fps = frames_of(clip), clip["fps"]
        path = bracketed(clip) if clip["path"] else ""
        found.update(
            {
                "Clip Name": clip["name"],
                "Clip Color": clip["color"],
                "File Name": os.path.basename(path),
                "File Path": path,
                "FPS": fps,
                "Frames": str(count),
                "Start": str(clip["first"] if clip["kind"] == "sequence" else 0),
                "End": str(clip["last"] if clip["kind"] == "sequence" else count - 1),
                "Start TC": timecode.to_timecode(clip["start_tc"], fps),
                "End TC": timecode.to_timecode(clip["start_tc"] + count, fps),
                "Duration": timecode.to_timecode(count, fps),
                "Resolution": "{}x{}".format(clip["width"], clip["height"]) if clip["width"] else "",
                "Type": _TYPES[clip["kind"]],
                "Format": os.path.splitext(clip["path"])[1].lstrip(".").upper(),
                "Bit Depth": "16" if clip["path"].endswith(".exr") else "10",
                "Video Codec": clip["codec"],
                "Usage": str(sum(item["media"] == clip["id"] for *_, item in self.world.items())),
                "Online Status": "Online" if self._online() else "Offline",
                "Drop frame": "0",
                "Field Dominance": "Auto",
                "Proxy": "None",
                "Proxy Media Path": "",
                "Flags": "",
            }
        )
        return found

    def _online(self):
        clip = self.data
        if clip["kind"] not in ("sequence", "still", "movie"):
            return True
        return os.path.exists(clip["path"] % clip["first"] if clip["kind"] == "sequence" else clip["path"])


_TYPES = {
    "sequence": "Video",
    "movie": "Video + Audio",
    "still": "Still",
    "generator": "Generator",
    "timeline": "Timeline",
}
