"""Going to a timeline and to the Edit page for a moment; afterwards the user finds everything where it was."""

from contextlib import contextmanager
from typing import Iterator, List, Optional

from void_plugin.errors import HostError
from void_plugin.hosts import resolve_snapshot as snapshot
from void_plugin.hosts.resolve_api import CODE, Project, Resolve, Timeline, refused
from void_plugin.hosts.resolve_context import RENDERING


@contextmanager
def visit(resolve: Resolve, project: Project, timeline: Optional[Timeline] = None) -> Iterator[List[str]]:
    """Inside, a timeline is the current one (without one, it stays the same), and the Edit page is open.

    Only there items can be deleted, and only of the current timeline the tracks are known. Where all inside went well,
    the list that it gives says afterwards what is not back where it was; where not, the error does. Raises HostError
    while Resolve renders.
    """
    if project.is_rendering():
        raise HostError(RENDERING, CODE)
    current, folder = project.timeline(), project.pool().current()
    if folder is None or not folder.id():
        raise refused("MediaPool.GetCurrentFolder", [], "does not say which bin is open", "open a bin and try again")
    state = {
        "project": {"id": project.id(), "name": project.name()},
        "timeline": {"id": current.id(), "name": current.name()} if current is not None else {},
        "playhead": current.playhead() if current is not None else "",
        "bin": folder.id(),
        "page": resolve.page(),
    }
    left: List[str] = []
    theirs: List[str] = []
    """Where the playhead of the visited timeline stood: opening it moves that, too."""

    def leave() -> List[str]:
        moved = snapshot.tried(lambda: _move_playhead(timeline, theirs)) if timeline is not None else ""
        parts = ("timeline", "playhead", "bin", "page") if current is not None else ("bin", "page")
        return [text for text in [moved, *snapshot.restore(resolve, state, parts)[1]] if text]

    try:
        if state["page"]:  # there is none without windows
            resolve.open_page("edit")
        if current is not None and not state["playhead"]:  # the Fusion page does not say
            state["playhead"] = current.playhead()
        if timeline is not None and (current is None or current.id() != timeline.id()):
            theirs.append(timeline.playhead())
            project.open_timeline(timeline)
        yield left
    except BaseException as error:
        left += leave()
        if left and isinstance(error, HostError):
            raise HostError(" ".join([error.message] + left), error.code) from error
        raise
    left += leave()


def _move_playhead(timeline: Timeline, to: List[str]) -> None:
    for timecode in to:
        if timecode and timeline.playhead() != timecode and not timeline.move_playhead(timecode):
            raise refused("Timeline.SetCurrentTimecode", [timecode], "left the playhead elsewhere")


def check(left: List[str]) -> None:
    """Raises HostError where a visit has left something otherwise than it was."""
    if left:
        raise HostError(" ".join(left), CODE)
