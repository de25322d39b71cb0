"""Going to a timeline and to the Edit page for a moment; afterwards the user finds everything where it was."""

from contextlib import contextmanager
from typing import Iterator

from void_plugin.errors import HostError
from void_plugin.hosts import resolve_snapshot as snapshot
from void_plugin.hosts.resolve_api import CODE, Project, Resolve, Timeline

VIEW = ("timeline", "playhead", "bin", "page")
"""The parts of a snapshot that a visit changes."""


@contextmanager
def visit(resolve: Resolve, project: Project) -> Iterator["Visit"]:
    """Around work on timelines. Raises HostError also where all went well but the user is not back where she was."""
    timeline, folder = project.timeline(), project.pool().current()
    state = {
        "project": {"id": project.id(), "name": project.name()},
        "timeline": {"id": timeline.id(), "name": timeline.name()} if timeline is not None else None,
        "playhead": timeline.playhead() if timeline is not None else "",
        "bin": folder.id() if folder is not None else "",
        "page": resolve.page(),
    }
    parts = [part for part in VIEW if timeline is not None or part not in ("timeline", "playhead")]
    try:
        yield Visit(resolve, project)
    except HostError as error:
        failed = snapshot.restore(resolve, state, parts)[1]
        if failed:
            raise HostError(" ".join([error.message, *failed]), error.code) from error
        raise
    except BaseException:
        snapshot.restore(resolve, state, parts)
        raise
    failed = snapshot.restore(resolve, state, parts)[1]
    if failed:
        raise HostError(" ".join(failed), CODE)


class Visit:
    """The visits of one piece of work."""

    def __init__(self, resolve: Resolve, project: Project) -> None:
        self._resolve, self._project = resolve, project

    def open(self, timeline: Timeline) -> None:
        """Make a timeline the current one, on the Edit page: elsewhere nothing can be deleted. Raises HostError."""
        self._project.open_timeline(timeline)
        self._resolve.open_page("edit")
