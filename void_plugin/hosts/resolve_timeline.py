"""Timelines of Resolve: their tracks, their marks and what the user has chosen on them."""

from typing import Any, Dict, List, Optional, Tuple

from void_plugin.hosts.resolve_calls import refused, whole
from void_plugin.hosts.resolve_items import EDIT_FIX, VIDEO, Item, Marked


class Timeline(Marked):
    """A timeline; its tracks answer rightly only while it is the current one."""

    OF = "Timeline"

    def start(self) -> int:
        """Its first frame, absolute."""
        return self._frame("GetStartFrame")

    def end(self) -> int:
        """The frame after its last one."""
        return self._frame("GetEndFrame")

    def start_timecode(self) -> str:
        """Timecode of its first frame; a semicolon in it means drop frame."""
        return self._text("GetStartTimecode")

    def setting(self, key: str) -> str:
        """A setting of its own or of its project; empty where it has none."""
        return self._text("GetSetting", key)

    # -- tracks ----------------------------------------------------------------------------------------------

    def tracks(self) -> int:
        """How many video tracks it has; they count from 1, bottom up."""
        return self._frame("GetTrackCount", VIDEO)

    def track_name(self, track: int) -> str:
        """Name of a video track."""
        return self._text("GetTrackName", VIDEO, track)

    def set_track_name(self, track: int, name: str) -> bool:
        """Rename a video track; True where it has that name then."""
        self._call("SetTrackName", VIDEO, track, name)
        return self.track_name(track) == name

    def add_track(self) -> int:
        """Add a video track above all and return its number. Raises HostError."""
        before = self.tracks()
        self._call("AddTrack", VIDEO)
        after = self.tracks()
        if after != before + 1:
            raise refused("Timeline.AddTrack", [VIDEO], "added {} tracks".format(after - before), EDIT_FIX)
        return after

    def delete_track(self, track: int) -> bool:
        """Delete a video track; True where there is one less."""
        before = self.tracks()
        self._call("DeleteTrack", VIDEO, track)
        return self.tracks() == before - 1

    def is_track_enabled(self, track: int) -> bool:
        """False where a video track is muted."""
        return self._yes("GetIsTrackEnabled", VIDEO, track)

    def enable_track(self, track: int, enabled: bool) -> None:
        """Show or mute a video track. Raises HostError where it reads back otherwise."""
        self._call("SetTrackEnable", VIDEO, track, enabled)
        if self.is_track_enabled(track) != enabled:
            raise refused("Timeline.SetTrackEnable", [VIDEO, track, enabled], "changed nothing", EDIT_FIX)

    def is_track_locked(self, track: int) -> bool:
        """True where the user has locked a video track."""
        return self._yes("GetIsTrackLocked", VIDEO, track)

    def items(self, track: int) -> List[Item]:
        """What is on a video track by record frame; also transitions, which have no media and no properties."""
        return [Item(raw) for raw in self._list("GetItemListInTrack", VIDEO, track)]

    def delete_items(self, items: List[Item]) -> bool:
        """Delete items without closing the gap; True where they are gone. Works on the Edit page only."""
        wanted = {item.id() for item in items}
        self._call("DeleteClips", items, False)
        left = {item.id() for track in range(1, self.tracks() + 1) for item in self.items(track)}
        return not wanted & left

    # -- what the user has chosen ----------------------------------------------------------------------------

    def current_item(self) -> Optional[Item]:
        """The video item under the playhead."""
        raw = self._call("GetCurrentVideoItem")
        return Item(raw) if raw else None

    def selected_items(self) -> Optional[List[Item]]:
        """The items that the user has selected; None where this Resolve cannot tell (before 21)."""
        if not self.has("GetSelectedClips"):
            return None
        return [Item(raw) for raw in self._list("GetSelectedClips")]

    def playhead(self) -> str:
        """Timecode of the playhead; empty on the Fusion page."""
        return self._text("GetCurrentTimecode")

    def move_playhead(self, timecode: str) -> bool:
        """Move the playhead; True where it is there then."""
        self._call("SetCurrentTimecode", timecode)
        return self.playhead() == timecode

    def marks(self) -> Optional[Dict[str, Tuple[int, int]]]:
        """In and out by `video` and `audio`, as far as there are any; None where this Resolve cannot tell (before 20).

        Whether they are absolute is not documented: they are only ever written back as they were read.
        """
        if not self.has("GetMarkInOut"):
            return None
        found = {}
        for kind, pair in self._map("GetMarkInOut").items():
            if isinstance(pair, dict) and whole(pair.get("in")) is not None and whole(pair.get("out")) is not None:
                found[str(kind)] = (int(pair["in"]), int(pair["out"]))
        return found

    def set_marks(self, marks: Dict[str, Tuple[int, int]]) -> None:
        """Put in and out as `marks` gave them. Raises HostError where they read back otherwise."""
        if self.marks() == marks:
            return
        self._call("ClearMarkInOut", "all")
        for kind in sorted(marks):
            self._call("SetMarkInOut", marks[kind][0], marks[kind][1], kind)
        if self.marks() != marks:
            raise refused("Timeline.SetMarkInOut", [marks], "changed nothing", EDIT_FIX)

    def export(self, path: str, kind: Any, subtype: Any) -> None:
        """Write the timeline to a file; the kinds are constants of Resolve. Raises HostError."""
        self._must("Export", path, kind, subtype, fix="see that the folder of the file can be written")
