"""Render settings and presets. There is no call that reads the settings: a preset is the only way to keep them."""

from __future__ import annotations

import copy

from .. import facts
from .base import Model


class Presets(Model):
    @property
    def render(self):
        return self.data["render"]

    def GetRenderFormats(self):
        return dict(facts.FORMATS)

    def GetRenderCodecs(self, file_format):
        return dict(facts.CODECS.get(file_format, {}))

    def GetCurrentRenderFormatAndCodec(self):
        return {"format": self.render["format"], "codec": self.render["codec"]}

    def SetCurrentRenderFormatAndCodec(self, file_format, codec):
        """Wants ids, not labels."""
        if codec not in facts.CODECS.get(file_format, {}).values():
            return False
        self.render.update(format=file_format, codec=codec)
        return True

    def GetCurrentRenderMode(self):
        return self.render["mode"]

    def SetCurrentRenderMode(self, mode):
        if mode not in (0, 1):
            return False
        self.render["mode"] = mode
        return True

    def SetRenderSettings(self, settings):
        """Over what is there; MarkIn and MarkOut move the timeline's marks as well."""
        settings = dict(settings)
        self.render["settings"].update(settings)
        timeline = self.world.timeline
        if timeline and "MarkIn" in settings and "MarkOut" in settings:
            marks = {"in": settings["MarkIn"] - timeline["start"], "out": settings["MarkOut"] - timeline["start"]}
            timeline["marks"].update(video=marks, audio=dict(marks))
        return True

    def GetRenderPresetList(self):
        return list(self.world.data["presets"])

    def SaveAsNewRenderPreset(self, name):
        """Keeps all but the render mode; refuses a name that is taken."""
        if not name or name in self.world.data["presets"]:
            return False
        kept = {key: copy.deepcopy(self.render[key]) for key in ("format", "codec", "settings", "hidden")}
        self.world.data["presets"][name] = dict(kept, builtin=False)
        return True

    def LoadRenderPreset(self, name):
        """Replaces the settings, and the render mode by "single clip"."""
        found = self.world.data["presets"].get(name)
        if found is None:
            return False
        keys = ("settings", "hidden") if self.knobs.preset_forgets_codec else ("format", "codec", "settings", "hidden")
        self.render.update({key: copy.deepcopy(found[key]) for key in keys})
        self.render["mode"] = 1
        return True

    def DeleteRenderPreset(self, name):
        """One of the user's is a breach; those of Resolve are refused."""
        found = self.world.data["presets"].get(name)
        if found is None or found["builtin"]:
            return False
        if not name.startswith("VOID_restore_"):
            raise self.bench.breach(ValueError("the render preset " + repr(name) + " is the user's"))
        del self.world.data["presets"][name]
        return True
