"""A timeline: its tracks, items, playhead, marks and export."""

from __future__ import annotations

from .. import facts, otiofile, timecode
from ..media import frames_of
from .markers import Marked


def new_track(key, name):
    """The data of an empty track; its id is the fake's own, so that states can be compared."""
    return {"id": key, "name": name, "enabled": True, "locked": False, "items": []}


class Timeline(Marked):
    @property
    def current(self):
        return self.data is self.world.timeline

    @property
    def rate(self):
        return float(self.setting("timelineFrameRate"))

    def setting(self, key):
        """The timeline's own value of a setting, else the project's."""
        return self.data["settings"].get(key, self.world.project["settings"].get(key))

    def GetName(self):
        return self.data["name"]

    def SetName(self, name):
        if not name or any(one["name"] == name for one in self.world.project["timelines"]):
            return False
        self.data["name"] = name
        return True

    def GetUniqueId(self):
        return self.data["id"]

    def GetStartFrame(self):
        return self.data["start"]

    def GetEndFrame(self):
        """The first frame after the last item of any track."""
        items = [item for tracks in self.data["tracks"].values() for track in tracks for item in track["items"]]
        return max([self.data["start"]] + [item["start"] + item["duration"] for item in items])

    def GetStartTimecode(self):
        return self._timecode(self.data["start"])

    def GetSetting(self, key=""):
        known = dict(self.world.project["settings"], **facts.TIMELINE_ONLY)
        known.update(self.data["settings"])
        if not key:
            return known
        if key not in known:
            raise self.bench.breach(KeyError("timelines have no setting " + repr(key)))
        number = self.knobs.rate_as_number and key.endswith("FrameRate")
        return float(known[key]) if number else known[key]

    # -- tracks
    def _track(self, kind, number):
        tracks = self.data["tracks"].get(kind, [])
        return tracks[number - 1] if 1 <= number <= len(tracks) else None

    def GetTrackCount(self, kind):
        return len(self.data["tracks"].get(kind, []))

    def AddTrack(self, kind, options=None):
        """Above all others, or at an index that exists."""
        tracks = self.data["tracks"].get(kind)
        if tracks is None:
            return False
        number = options.get("index", 0) if isinstance(options, dict) else 0
        place = number - 1 if 1 <= number <= len(tracks) else len(tracks)
        name = kind.capitalize() + " " + str(len(tracks) + 1)
        tracks.insert(place, new_track(self.world.new_id("track"), name))
        return True

    def DeleteTrack(self, kind, number):
        """With what is on it; the last of its kind stays, and a locked one."""
        track = self._track(kind, number)
        if track is None or track["locked"] or (kind == "video" and len(self.data["tracks"][kind]) == 1):
            return False
        self.data["tracks"][kind].remove(track)
        return True

    def GetTrackName(self, kind, number):
        track = self._track(kind, number)
        return track["name"] if track else None

    def SetTrackName(self, kind, number, name):
        track = self._track(kind, number)
        if track is None or not name:
            return False
        track["name"] = name
        return True

    def GetIsTrackEnabled(self, kind, number):
        """Answers falsely for a timeline that is not current (danielbaldwin47, ADR 0004)."""
        track = self._track(kind, number)
        return track["enabled"] if track and self.current else False

    def SetTrackEnable(self, kind, number, enabled):
        track = self._track(kind, number)
        if track is None or not self.current or (self.knobs.enable_needs_edit_page and not self._on("edit")):
            return False
        track["enabled"] = enabled
        return True

    def GetIsTrackLocked(self, kind, number):
        """Answers falsely for a timeline that is not current (danielbaldwin47, ADR 0004)."""
        track = self._track(kind, number)
        return track["locked"] if track and self.current else False

    def SetTrackLock(self, kind, number, locked):
        track = self._track(kind, number)
        if track is None or not self.current:
            return False
        track["locked"] = locked
        return True

    # -- items
    def GetItemListInTrack(self, kind, number):
        """Transitions are among them."""
        track = self._track(kind, number)
        return self.handles("TimelineItem", track["items"]) if track else []

    def GetSelectedClips(self):
        items = {item["id"]: item for timeline, _, _, item in self.world.items() if timeline is self.data}
        return self.handles("TimelineItem", [items[key] for key in self.data["selected"] if key in items])

    def GetCurrentVideoItem(self):
        """The topmost that is shown under the playhead; None over a gap."""
        for track in reversed(self.data["tracks"]["video"]):
            for item in track["items"] if track["enabled"] else []:
                inside = item["start"] <= self.data["playhead"] < item["start"] + item["duration"]
                if inside and item["enabled"] and item["kind"] != "transition":
                    return self.bench.handle("TimelineItem", item["id"])
        return None

    def DeleteClips(self, items, ripple=False):
        """Only on the Edit page, and not on a locked track; a ripple would move what is the user's."""
        if ripple:
            raise self.bench.breach(ValueError("a ripple delete moves the user's items"))
        found = [self.given(item) for item in items]
        if not found or None in found or (self.knobs.delete_needs_edit_page and not self._on("edit")):
            return False
        tracks = [track for tracks in self.data["tracks"].values() for track in tracks]
        if any(item in track["items"] and track["locked"] for item in found for track in tracks):
            return False
        if self.knobs.delete_flaky_once:
            self.knobs.delete_flaky_once = False
            return True
        for track in tracks:
            track["items"] = [item for item in track["items"] if item not in found]
        return True

    # -- playhead and marks
    def GetCurrentTimecode(self):
        return self._timecode(self.data["playhead"]) if self._on(*facts.TIMECODE_PAGES) else ""

    def SetCurrentTimecode(self, text):
        """Refuses on the Media and Fusion pages, on a timeline that is not current, and what is no timecode."""
        if not self._on(*facts.TIMECODE_PAGES) or not self.current:
            return False
        try:
            self.data["playhead"] = timecode.to_frame(text, self.rate, self._drop())
        except ValueError:
            return False
        return True

    def GetMarkInOut(self):
        first = self.data["start"] if self.knobs.marks_absolute else 0
        return {
            kind: {"in": marks["in"] + first, "out": marks["out"] + first} for kind, marks in self.data["marks"].items()
        }

    def SetMarkInOut(self, first, last, kind="all"):
        kinds = ("video", "audio") if kind == "all" else (kind,)
        if kind not in ("video", "audio", "all") or first > last:
            return False
        start = self.data["start"] if self.knobs.marks_absolute else 0
        for one in kinds:
            self.data["marks"][one] = {"in": first - start, "out": last - start}
        return True

    def ClearMarkInOut(self, kind="all"):
        if kind not in ("video", "audio", "all"):
            return False
        for one in ("video", "audio") if kind == "all" else (kind,):
            self.data["marks"].pop(one, None)
        return True

    # -- files
    def Export(self, path, kind, subtype):
        """Only OpenTimelineIO, and only with the constants of the live object; strings are refused."""
        constants = self.bench.constants()
        if kind != constants.get("EXPORT_OTIO") or subtype != constants["EXPORT_NONE"] or isinstance(kind, str):
            return False
        return otiofile.write(path, self.data, self.world.project, self.rate, self.knobs.otio_absolute_markers)

    def _timecode(self, frame):
        return timecode.to_timecode(frame, self.rate, self._drop())

    def _drop(self):
        return self.setting("timelineDropFrameTimecode") == "1"

    def _on(self, *pages):
        return self.world.data["page"] in pages


def source_index(item, clip, frame, rate):
    """The 0-based frame of the media that an item shows at a record frame."""
    passed = frame - item["start"]
    index = item["offset"] + passed * item["speed"] * clip["fps"] / rate + item["ramp"] * passed * passed
    return min(max(int(index + 1e-6), 0), frames_of(clip) - 1)
