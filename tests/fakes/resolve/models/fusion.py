"""Fusion compositions of items: their Savers, which write EXR files when the composition is told to render."""

from __future__ import annotations

import os
import re

from .. import pictures
from .base import Model

QUIET = 524288


class Comp(Model):
    """A composition; its data knows its item by `owner`."""

    def GetAttrs(self):
        first, last = self.data["range"]
        return {
            "COMPS_Name": self.data["name"],
            "COMPN_RenderStart": float(first),
            "COMPN_RenderEnd": float(last),
            "COMPN_CurrentTime": float(self.data["time"]),
        }

    def CurrentTime(self, value):
        """What an assignment to the attribute does."""
        self.data["time"] = float(value)

    def GetToolList(self, selected, kind=None):
        """A table: tools by numbers from 1 on, which are no whole ones in Python."""
        if selected:
            return {}
        names = [name for name, tool in self.data["tools"].items() if kind in (None, tool["type"])]
        key = self.data["owner"] + "|" + self.data["name"] + "|"
        return {float(at + 1): self.bench.handle("FusionTool", key + name) for at, name in enumerate(names)}

    def Render(self, wanted):
        """Frames from and to, by every Saver that is not passed through; without the quiet flag a dialog comes up."""
        if not wanted.get("Wait"):
            raise self.bench.breach(ValueError("a render that nobody waits for is still going on when files are read"))
        if not wanted.get("RenderFlags", 0) & QUIET:
            self.knobs.modal_blocks = True
        frames = range(int(wanted["Start"]), int(wanted["End"]) + 1)
        if self.knobs.comp_moves_time:
            self.data["time"] = float(wanted["End"])
        savers = [tool for tool in self.data["tools"].values() if tool["type"] == "Saver" and not tool["passed"]]
        return all([self._write(tool, frames) for tool in savers]) and bool(savers)

    def _write(self, tool, frames):
        path = tool["inputs"].get("Clip") or ""
        folder = os.path.dirname(path)
        if not path.endswith(".exr") or not os.path.isdir(folder):
            if not folder or not tool["inputs"].get("CreateDir"):
                return False
            os.makedirs(folder)
        item = self.world.place_of(self.data["owner"])[3]
        clip = self.world.clip(tool["shows"])
        plans = []
        for frame in frames:
            if frame in self.knobs.comp_skips:
                continue
            number = clip["first"] + item["offset"] + frame - self.data["range"][0]
            layer = {"path": clip["path"] % number, "weight": 1.0, "gain": 1.0, "power": 1.0, "video_levels": False}
            layer.update(flip=[False, False], shift=[0, 0])
            size = self.knobs.comp_size or [clip["width"], clip["height"]]
            plan = {"path": numbered(path, frame), "size": size, "codec": "RGBHalfZIP", "truncate": False}
            plans.append(dict(plan, layers=[layer]))
        pictures.write(plans)
        return True


class Tool(Model):
    """A tool; all that is asked of one here is asked of Savers."""

    def GetAttrs(self):
        return {
            "TOOLS_Name": self.data["name"],
            "TOOLS_RegID": self.data["type"],
            "TOOLB_PassThrough": self.data["passed"],
        }

    def SetAttrs(self, values):
        for key, value in values.items():
            if key != "TOOLB_PassThrough":
                raise self.bench.breach(KeyError("nothing of ours may set " + repr(key)))
            if self.stored(key):
                self.data["passed"] = value

    def GetInput(self, key, time=None):
        return self.data["inputs"].get(key)

    def SetInput(self, key, value, time=None):
        if key not in ("Clip", "CreateDir", "OutputFormat"):
            raise self.bench.breach(KeyError("nothing of ours may set " + repr(key)))
        if self.stored(key):
            self.data["inputs"][key] = value


def numbered(path, frame):
    """Where a Saver writes a frame: its number in place of the digits before the ending, else behind the name."""
    stem, ending = os.path.splitext(path)
    digits = re.search(r"\d*\Z", stem).group()
    return "{}{:0{}d}{}".format(stem[: len(stem) - len(digits)], frame, max(len(digits), 4), ending)
