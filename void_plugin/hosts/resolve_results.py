"""Results in Resolve's media pool: their bin, their import with everything read back, and their removal."""

from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple

from void_plugin.hosts import resolve_tags as tags
from void_plugin.hosts.resolve_api import Bin, Clip, MediaPool, Sequence, refused
from void_plugin.hosts.resolve_undo import Undo

COLOR = "Teal"
"""The clip colour of results; one of the sixteen that Resolve knows."""
PROPERTIES = (
    ("input_colour", "Input Color Space"),
    ("data_level", "Data Level"),
    ("alpha_mode", "Alpha mode"),
    ("par", "PAR"),
    ("reel", "Reel Name"),
)
"""What a result takes over from its plate: our name and Resolve's. The rate comes first and is no matter of taste."""
SEEN = ("input_colour", "data_level", "alpha_mode", "par")
"""Those of them that change what is seen."""


class Files(NamedTuple):
    """The frames of a result on disk."""

    pattern: str
    first: int
    last: int

    @property
    def frames(self) -> int:
        """How many there are."""
        return self.last - self.first + 1


class Results:
    """The clips of one timeline's results in the media pool."""

    def __init__(self, pool: MediaPool, timeline: str) -> None:
        """`timeline` is its name, which its bin gets."""
        self._pool, self._timeline = pool, timeline

    def find(self, tag: Mapping[str, Any]) -> Optional[Clip]:
        """The clip with exactly this tag."""
        folder = self._pool.root().child(tags.BIN)
        folder = folder.child(self._timeline) if folder is not None else None
        for clip in folder.clips() if folder is not None else ():
            if clip.third_party(tags.KEY) == tags.tag(tag):
                return clip
        return None

    def bring(self, files: Files, tag: Mapping[str, Any], undo: Undo) -> Clip:
        """Import a result as one tagged clip into its bin, which is made where it is not there. Raises HostError."""
        folder = self._child(self._child(self._pool.root(), tags.BIN, undo), self._timeline, undo)
        self._pool.open(folder)
        before = {clip.id() for clip in folder.clips()}
        undo.add("imported clips in the bin {}".format(self._timeline), lambda: self._take_out(folder, before))
        clip = self._pool.import_sequence(Sequence(files.pattern, files.first, files.last))
        frames = clip.property("Frames")
        if frames != str(files.frames):
            fix = "see that all files are there and that Show Individual Frames is off in the menu of the media pool"
            why = "gave a clip of {} frames in place of {}".format(frames or "unknown", files.frames)
            raise refused("MediaPool.ImportMedia", [files.pattern, files.first, files.last], why, fix)
        if not clip.set_third_party(tags.KEY, tags.tag(tag)):
            why = "did not keep the tag by which the clip is found again"
            raise refused("MediaPoolItem.SetThirdPartyMetadata", [tags.KEY, tags.tag(tag)], why)
        return clip

    def _child(self, parent: Bin, name: str, undo: Undo) -> Bin:
        found = parent.child(name)
        if found is not None:
            return found
        undo.add("the bin " + name, lambda: self._drop_bin(parent, name))
        return self._pool.add_bin(parent, name)

    def _drop_bin(self, parent: Bin, name: str) -> None:
        folder = parent.child(name)
        if folder is not None and _is_empty(folder):
            delete_bin(self._pool, parent, folder)

    def _take_out(self, folder: Bin, before: Set[str]) -> None:
        remove_clips(self._pool, [clip for clip in folder.clips() if clip.id() not in before])


def describe(clip: Clip, name: str, wanted: Mapping[str, Any]) -> Tuple[List[str], List[str]]:
    """Give a clip its name, colour, rate and what else it has from its plate; returns what Resolve did not keep.

    First what makes the picture look otherwise than its plate, then the rest. Raises HostError where it would play at
    another rate.
    """
    flaws: List[str] = []
    warnings: List[str] = []
    rate = wanted.get("fps")
    if rate and not same_rate(clip.property("FPS"), rate):
        clip.set_property("FPS", str(rate))
        if not same_rate(clip.property("FPS"), rate):
            why = "left it at {}".format(clip.property("FPS") or "nothing")
            fix = "set the frame rate of image sequences in the project settings to {} and collect again".format(rate)
            raise refused("MediaPoolItem.SetClipProperty", ["FPS", rate], why, fix)
    for key, property_name in PROPERTIES:
        value = str(wanted.get(key) or "")
        if value and clip.property(property_name) != value and not clip.set_property(property_name, value):
            text = "Resolve's MediaPoolItem.SetClipProperty did not keep {} = {!r} for {}: it is {!r}; set it by hand."
            said = flaws if key in SEEN else warnings
            said.append(text.format(property_name, value, name, clip.property(property_name)))
    if not clip.set_name(name):
        warnings.append("Resolve's MediaPoolItem.SetName left the clip named {}.".format(clip.name()))
    if not clip.set_color(COLOR):
        warnings.append("Resolve's MediaPoolItem.SetClipColor did not colour the clip {}.".format(name))
    return flaws, warnings


def same_rate(one: Any, other: Any) -> bool:
    """True where two frame rates are the same to three digits, however they are written; False where one is none."""
    found = rate_of(one)
    return found is not None and found == rate_of(other)


def rate_of(value: Any) -> Optional[float]:
    """Frames a second from Resolve's text for it, such as `23.976` or `29.97 DF`; None where it says nothing."""
    try:
        return round(float(str(value).split()[0]), 3)
    except (ValueError, IndexError):
        return None


def tag_of(clip: Optional[Clip]) -> Optional[Dict[str, Any]]:
    """The values of a clip's tag; None for a clip that is not ours."""
    return tags.values(clip.third_party(tags.KEY)) if clip is not None else None


def every_clip(folder: Bin) -> Iterator[Clip]:
    """Every clip in a bin and in those below it."""
    for clip in folder.clips():
        yield clip
    for inner in folder.bins():
        for clip in every_clip(inner):
            yield clip


def remove_clips(pool: MediaPool, clips: List[Clip]) -> None:
    """Delete clips from the media pool. Raises HostError where one is still there."""
    if not clips:
        return
    unique = {clip.id() for clip in clips}
    pool.delete_clips(clips)
    if any(clip.id() in unique for clip in every_clip(pool.root())):
        raise refused("MediaPool.DeleteClips", [clips], "left them in the media pool")


def delete_bin(pool: MediaPool, parent: Bin, folder: Bin) -> None:
    """Delete an empty bin. Raises HostError where it is still there."""
    wanted = folder.id()
    current = pool.current()
    if current is not None and current.id() == wanted:
        pool.open(parent)
    pool.delete_bins([folder])
    if any(found.id() == wanted for found in parent.bins()):
        raise refused("MediaPool.DeleteFolders", [folder], "left the bin there")


def bins_with_results(pool: MediaPool) -> List[str]:
    """Names of the bins that results are imported into and that hold one."""
    around = pool.root().child(tags.BIN)
    bins = around.bins() if around is not None else []
    return [folder.name() for folder in bins if any(tag_of(clip) is not None for clip in folder.clips())]


def drop_bins(pool: MediaPool, names: List[str]) -> int:
    """Delete bins of results, and the one around them, as far as they are empty; returns how many."""
    root = pool.root()
    around = root.child(tags.BIN)
    if around is None or not names:
        return 0
    empty = [(around, folder) for folder in around.bins() if folder.name() in names and _is_empty(folder)]
    for parent, folder in empty:
        delete_bin(pool, parent, folder)
    if not _is_empty(around):
        return len(empty)
    delete_bin(pool, root, around)
    return len(empty) + 1


def _is_empty(folder: Bin) -> bool:
    return not folder.clips() and not folder.bins()
