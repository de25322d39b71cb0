"""DaVinci Resolve for the rest of this package: the only way in which it is called.

Resolve answers failures with None, False or nothing, so every method here says what it may leave out, checks what can
be read back, and raises HostError with the call, what it was given and what the user can do.
"""

from typing import Any, Dict, List, Optional, Tuple

from void_plugin.hosts.resolve_calls import CODE, Wrapped, refused
from void_plugin.hosts.resolve_items import EDIT_FIX, VIDEO, Item, Marked, Marker, Take
from void_plugin.hosts.resolve_media import Bin, Clip, Sequence, one_clip
from void_plugin.hosts.resolve_render import Renders
from void_plugin.hosts.resolve_timeline import Timeline

__all__ = [
    "CODE",
    "EDIT_FIX",
    "UNNAMED",
    "VIDEO",
    "Bin",
    "Clip",
    "Item",
    "Marked",
    "Marker",
    "MediaPool",
    "Project",
    "Resolve",
    "Sequence",
    "Take",
    "Timeline",
    "refused",
]

UNNAMED = "Untitled Project"
"""Name of a project that was never saved: saving one by script can block for ever."""


class Resolve(Wrapped):
    """The application."""

    OF = "Resolve"

    def product(self) -> str:
        """`DaVinci Resolve` or `DaVinci Resolve Studio`."""
        return self._text("GetProductName")

    def is_studio(self) -> bool:
        """False for the free edition, where calls of the other one open a dialog that blocks everything."""
        return "studio" in self.product().lower()

    def version(self) -> List[Any]:
        """Such as `[21, 0, 4, 2, ""]`; empty where Resolve does not say."""
        return self._list("GetVersion")

    def page(self) -> str:
        """The page that is open, such as `edit`; empty where none is (without windows)."""
        return self._text("GetCurrentPage")

    def open_page(self, page: str) -> None:
        """Open a page. Raises HostError where another one is open then."""
        if self.page() == page:
            return
        self._call("OpenPage", page)
        if self.page() != page:
            raise refused("Resolve.OpenPage", [page], "left the page {!r} open".format(self.page()))

    def database(self) -> Optional[Dict[str, Any]]:
        """The project library; None in the state after an unclean exit where everything else looks well."""
        return self._manager()._map("GetCurrentDatabase") or None

    def project(self) -> Optional["Project"]:
        """The project that is open."""
        raw = self._manager()._call("GetCurrentProject")
        return Project(raw) if raw else None

    def is_collaborative(self, project: "Project") -> Optional[bool]:
        """True where many may work in the project at once; None where this Resolve cannot tell (before 21).

        Only of a project in the folder that the project manager shows.
        """
        manager = self._manager()
        if not manager.has("GetProjectAttributesInCurrentFolder"):
            return None
        found = manager._map("GetProjectAttributesInCurrentFolder").get(project.name())
        return bool(found["liveCollaborationMode"]) if found and "liveCollaborationMode" in found else None

    def save(self, project: "Project") -> bool:
        """Save the open project, which must have a name. Raises HostError for one that has none."""
        if project.name() == UNNAMED:
            raise refused("ProjectManager.SaveProject", [], "would block", "save the project under a name first")
        return self._manager()._yes("SaveProject")

    def constant(self, name: str) -> Any:
        """One of Resolve's constants, such as `EXPORT_OTIO`. Raises HostError where it has none of that name."""
        found = getattr(self.raw, name, None)
        if found is None:
            raise refused("constant " + name, [], "is not known to this Resolve", "it needs 18.5 or newer")
        return found

    def _manager(self) -> "Manager":
        return Manager(self._must("GetProjectManager"))


class Manager(Wrapped):
    """The project manager, of which little is called."""

    OF = "ProjectManager"


class MediaPool(Wrapped):
    """The media pool of a project."""

    OF = "MediaPool"

    def root(self) -> Bin:
        """The bin around all others."""
        return Bin(self._must("GetRootFolder"))

    def current(self) -> Optional[Bin]:
        """The bin that is open, which gets what is imported."""
        raw = self._call("GetCurrentFolder")
        return Bin(raw) if raw else None

    def open(self, folder: Bin) -> None:
        """Open a bin. Raises HostError where another one is open then."""
        self._call("SetCurrentFolder", folder)
        found = self.current()
        if found is None or found.id() != folder.id():
            raise refused("MediaPool.SetCurrentFolder", [folder], "opened another bin")

    def add_bin(self, parent: Bin, name: str) -> Bin:
        """Make a bin in another one. Raises HostError."""
        return Bin(self._must("AddSubFolder", parent, name))

    def delete_bins(self, bins: List[Bin]) -> bool:
        """Delete bins with what is in them; Resolve's word for it."""
        return self._yes("DeleteFolders", bins)

    def import_sequence(self, wanted: Sequence) -> Clip:
        """Import an image sequence into the open bin. Raises HostError unless exactly one clip comes of it."""
        return one_clip([Clip(raw) for raw in self._list("ImportMedia", [wanted.info()])], wanted)

    def delete_clips(self, clips: List[Clip]) -> bool:
        """Delete clips from the media pool; Resolve's word for it."""
        return self._yes("DeleteClips", clips)

    def append(self, clip: Clip, start: int, end: int, track: int, record: int) -> List[Item]:
        """Put media frames of a clip on a video track of the current timeline at an absolute record frame.

        `end` is inclusive in Resolve 18 and exclusive later: read back what came of it. Where something is there
        already, Resolve drops the new item or gives a ghost.
        """
        info = {
            "mediaPoolItem": clip,
            "startFrame": start,
            "endFrame": end,
            "mediaType": 1,
            "trackIndex": track,
            "recordFrame": record,
        }
        return [Item(raw) for raw in self._list("AppendToTimeline", [info])]

    def mattes(self, clip: Clip) -> List[str]:
        """Paths of the mattes that are attached to a clip."""
        return [str(path) for path in self._list("GetClipMatteList", clip)]


class Project(Renders):
    """A project, with what it renders."""

    OF = "Project"

    def pool(self) -> MediaPool:
        """Its media pool."""
        return MediaPool(self._must("GetMediaPool"))

    def setting(self, key: str) -> str:
        """A setting; empty where it has none."""
        return self._text("GetSetting", key)

    def settings(self) -> Dict[str, str]:
        """All settings as texts; empty where this Resolve does not give them at once."""
        return {str(key): str(value) for key, value in self._map("GetSetting", "").items()}

    def timeline(self) -> Optional[Timeline]:
        """The current timeline."""
        raw = self._call("GetCurrentTimeline")
        return Timeline(raw) if raw else None

    def timelines(self) -> List[Timeline]:
        """All of its timelines."""
        raws = [self._call("GetTimelineByIndex", index + 1) for index in range(self._whole("GetTimelineCount") or 0)]
        return [Timeline(raw) for raw in raws if raw]

    def find_timeline(self, unique: str) -> Optional[Timeline]:
        """The timeline of an id."""
        for found in self.timelines():
            if found.id() == unique:
                return found
        return None

    def open_timeline(self, timeline: Timeline) -> None:
        """Make a timeline the current one, which moves its playhead. Raises HostError where another one is then."""
        current = self.timeline()
        if current is not None and current.id() == timeline.id():
            return
        self._call("SetCurrentTimeline", timeline)
        current = self.timeline()
        if current is None or current.id() != timeline.id():
            raise refused("Project.SetCurrentTimeline", [timeline], "opened another timeline")


def items_by_track(timeline: Timeline) -> List[Tuple[int, Item]]:
    """Everything on the video tracks, with the number of its track, bottom up."""
    return [(track, item) for track in range(1, timeline.tracks() + 1) for item in timeline.items(track)]


def find_item(timeline: Timeline, unique: str) -> Optional[Tuple[int, Item]]:
    """The item of an id and its track."""
    for track, item in items_by_track(timeline):
        if unique and item.id() == unique:
            return track, item
    return None
