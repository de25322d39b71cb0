"""What lies in Resolve's media pool: clips and bins."""

from typing import Any, Dict, List, Optional

from void_plugin.hosts.resolve_calls import Named, refused


class Clip(Named):
    """A clip in the media pool."""

    OF = "MediaPoolItem"

    def set_name(self, name: str) -> bool:
        """Rename it; True where it has that name then."""
        self._call("SetName", name)
        return self.name() == name

    def property(self, key: str) -> str:
        """One property as text, such as `File Path`; empty where it has none."""
        return self._text("GetClipProperty", key)

    def properties(self) -> Dict[str, str]:
        """All of its properties as texts."""
        found = self._call("GetClipProperty")
        return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}

    def set_property(self, key: str, value: str) -> bool:
        """Set a property; True where it reads back as that, whatever Resolve has answered."""
        self._call("SetClipProperty", key, value)
        return self.property(key) == value

    def third_party(self, key: str) -> str:
        """A text that was left with the clip."""
        return self._text("GetThirdPartyMetadata", key)

    def set_third_party(self, key: str, value: str) -> bool:
        """Leave a text with the clip; True where it reads back."""
        self._call("SetThirdPartyMetadata", key, value)
        return self.third_party(key) == value

    def color(self) -> str:
        """Its clip colour; empty for none."""
        return self._text("GetClipColor")

    def set_color(self, color: str) -> bool:
        """Give it one of the sixteen clip colours; True where it has it then."""
        self._call("SetClipColor", color)
        return self.color() == color


class Bin(Named):
    """A bin of the media pool."""

    OF = "Folder"

    def clips(self) -> List[Clip]:
        """The clips directly in it."""
        return [Clip(raw) for raw in self._list("GetClipList")]

    def bins(self) -> List["Bin"]:
        """The bins directly in it."""
        return [Bin(raw) for raw in self._list("GetSubFolderList")]

    def child(self, name: str) -> Optional["Bin"]:
        """The bin of that name directly in it."""
        for found in self.bins():
            if found.name() == name:
                return found
        return None

    def is_stale(self) -> bool:
        """True in a shared project where somebody else has changed it since it was read."""
        return self._yes("GetIsFolderStale")


class Sequence:
    """An image sequence to import: its files, and their first and last number."""

    def __init__(self, pattern: str, first: int, last: int) -> None:
        """`pattern` has one `%04d` or alike."""
        self.pattern, self.first, self.last = pattern, first, last

    def info(self) -> Dict[str, Any]:
        """What ImportMedia takes."""
        return {"FilePath": self.pattern, "StartIndex": self.first, "EndIndex": self.last}


def one_clip(found: List[Clip], wanted: Sequence) -> Clip:
    """The one clip that an import must give. Raises HostError."""
    if len(found) == 1:
        return found[0]
    fix = "see that the files are there and readable for Resolve"
    if len(found) > 1:
        fix = "switch off Show Individual Frames in the menu of the media pool"
    why = "gave {} clips in place of one".format(len(found))
    raise refused("MediaPool.ImportMedia", [[wanted.info()]], why, fix)
