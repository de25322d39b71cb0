"""Remove everything that VOID added to a project of Resolve, and nothing else: all that carries a tag of ours."""

from typing import Any, Dict, List, Set

from void_plugin.errors import HostError
from void_plugin.hosts import resolve_tracks as tracks
from void_plugin.hosts.resolve_api import CODE, Item, Project, Resolve, Timeline, items_by_track
from void_plugin.hosts.resolve_marks import ours, remove_marks
from void_plugin.hosts.resolve_results import bins_with_results, drop_bins, every_clip, remove_clips, tag_of
from void_plugin.hosts.resolve_undo import Undo
from void_plugin.hosts.resolve_visit import visit


def clean(resolve: Resolve) -> Dict[str, Any]:
    """Take our items, tracks, markers, clips and bins out of all timelines and the media pool. Raises HostError.

    `removed` counts them; `left` says what could not go and why. What was removed before an error stays removed.
    """
    project = resolve.project()
    if project is None:
        raise HostError("Resolve has no project open; open the one to clean.", CODE)
    cleaning = _Cleaning(project)
    for timeline in project.timelines():
        if any(is_ours(item) or ours(item) for _, item in items_by_track(timeline)):
            with visit(resolve, project, timeline) as left:
                cleaning.timeline(timeline)
            cleaning.left += left
    with visit(resolve, project) as left:
        cleaning.media_pool()
    cleaning.left += left
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
        self._needed: Set[str] = set()

    def timeline(self, timeline: Timeline) -> None:
        """Clean one timeline, which is the current one; from the top, so that deleted tracks move no others."""
        for track in range(timeline.tracks(), 0, -1):
            items = timeline.items(track)
            results = [item for item in items if is_ours(item)]
            marked = [item for item in items if ours(item)]
            if timeline.is_track_locked(track):
                if results or marked:
                    self._keep(results, tracks.locked(timeline, track).message)
                continue
            self.removed["markers"] += sum(remove_marks(item) for item in marked)
            self._results(timeline, track, results)

    def _results(self, timeline: Timeline, track: int, results: List[Item]) -> None:
        mixed = [item for item in results if any(tag_of(clip) is None for clip in tracks.clips_of(item))]
        for item in mixed:
            text = "{} on track {} has takes that are not VOID's, so it stays; choose one of them and finalize it."
            self._keep([item], text.format(item.name(), track))
        gone = [item for item in results if item not in mixed]
        if not gone:
            return
        self.removed["tracks"] += tracks.remove_with_track(timeline, track, gone)
        self.removed["items"] += len(gone)

    def _keep(self, items: List[Item], why: str) -> None:
        """What these show must stay in the media pool, too. Only while their timeline is current it is known."""
        self._needed |= {clip.id() for item in items for clip in tracks.clips_of(item)}
        self.left.append(why)

    def media_pool(self) -> None:
        """Delete our clips and the bins that they leave empty."""
        pool = self._project.pool()
        bins = bins_with_results(pool)
        clips = [clip for clip in every_clip(pool.root()) if tag_of(clip) is not None]
        kept = [clip.name() for clip in clips if clip.id() in self._needed]
        if kept:
            self.left.append("Still on a timeline, so kept in the media pool: {}.".format(", ".join(kept)))

        def drop() -> None:
            self.removed["bins"] += drop_bins(pool, bins)

        with Undo() as undo:
            undo.add("the empty bins", drop)  # nothing but their clips says that they are ours
            remove_clips(pool, [clip for clip in clips if clip.id() not in self._needed])
            drop()
