"""Remove everything that VOID added to a project of Resolve, and nothing else: all that carries a tag of ours."""

from typing import Any, Dict, List, Set

from void_plugin.errors import HostError
from void_plugin.hosts import resolve_tracks as tracks
from void_plugin.hosts.resolve_api import CODE, Item, Project, Resolve, Timeline, items_by_track
from void_plugin.hosts.resolve_marks import ours, remove_marks
from void_plugin.hosts.resolve_results import drop_empty_bins, every_clip, remove_clips, tag_of
from void_plugin.hosts.resolve_snapshot import Snapshot
from void_plugin.hosts.resolve_undo import Undo


def clean(resolve: Resolve) -> Dict[str, Any]:
    """Take our items, tracks, markers, clips and bins out of all timelines and the media pool. Raises HostError.

    `removed` counts them; `left` says what could not go and why. What was removed before an error stays removed.
    """
    project = resolve.project()
    if project is None:
        raise HostError("Resolve has no project open; open the one to clean.", CODE)
    cleaning = _Cleaning(project)
    with Snapshot(resolve):
        for timeline in project.timelines():
            if any(is_ours(item) or ours(item) for _, item in items_by_track(timeline)):
                playhead = timeline.playhead()
                project.open_timeline(timeline)
                resolve.open_page("edit")
                cleaning.timeline(timeline)
                timeline.move_playhead(playhead)
        cleaning.media_pool()
    return {"removed": cleaning.removed, "left": cleaning.left}


def is_ours(item: Item) -> bool:
    """True for an item that shows a result, or has one as a take."""
    return any(tag_of(clip) is not None for clip in tracks.clips_of(item))


class _Cleaning:
    """What was found so far."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.removed = {"items": 0, "tracks": 0, "markers": 0, "bins": 0}
        self.left: List[str] = []

    def timeline(self, timeline: Timeline) -> None:
        """Clean one timeline, which is the current one; from the top, so that deleted tracks move no others."""
        for track in range(timeline.tracks(), 0, -1):
            items = timeline.items(track)
            results = [item for item in items if is_ours(item)]
            marked = [item for item in items if ours(item)]
            if timeline.is_track_locked(track):
                if results or marked:
                    self.left.append(tracks.locked(timeline, track).message)
                continue
            self.removed["markers"] += sum(remove_marks(item) for item in marked)
            self._results(timeline, track, results)

    def _results(self, timeline: Timeline, track: int, results: List[Item]) -> None:
        mixed = [item for item in results if any(tag_of(clip) is None for clip in tracks.clips_of(item))]
        for item in mixed:
            text = "{} on track {} has takes that are not VOID's, so it stays; choose one of them and finalize it."
            self.left.append(text.format(item.name(), track))
        gone = [item for item in results if item not in mixed]
        if not gone:
            return
        dropped: Set[int] = set()

        def drop() -> None:
            if not dropped and tracks.drop_track(timeline, track):
                dropped.add(track)

        with Undo() as undo:
            # Nothing but its items says that a track is ours, so it must go with them.
            undo.add("the empty track {}".format(track), drop)
            tracks.remove_items(timeline, gone)
            drop()
        self.removed["items"] += len(gone)
        self.removed["tracks"] += len(dropped)

    def media_pool(self) -> None:
        """Delete our clips and the bins that they leave empty."""
        pool = self._project.pool()
        needed = tracks.clips_in_use(self._project.timelines())
        clips = [clip for clip in every_clip(pool.root()) if tag_of(clip) is not None]
        kept = [clip.name() for clip in clips if clip.id() in needed]
        if kept:
            self.left.append("Still on a timeline, so kept in the media pool: {}.".format(", ".join(kept)))
        remove_clips(pool, [clip for clip in clips if clip.id() not in needed])
        self.removed["bins"] = drop_empty_bins(pool, {timeline.name() for timeline in self._project.timelines()})
