"""What a removal in Resolve stands on: edition, project, timeline, colour settings, and what of it is in the way."""

from typing import Any, Dict, Optional, Tuple

from void_plugin.errors import HostError
from void_plugin.hosts.resolve_api import CODE, UNNAMED, Project, Resolve, Timeline
from void_plugin.hosts.resolve_timecode import Rate, frame_of, rate_of

OLDEST = (18, 5)
COLOUR = (
    "colorScienceMode",
    "rcmPresetMode",
    "isAutoColorManage",
    "separateColorSpaceAndGamma",
    "colorSpaceInput",
    "colorSpaceInputGamma",
    "colorSpaceTimeline",
    "colorSpaceTimelineGamma",
    "colorSpaceOutput",
    "colorSpaceOutputGamma",
    "colorAcesIDT",
    "colorAcesODT",
    "colorAcesGamutCompressType",
    "inputDRT",
    "outputDRT",
    "videoDataLevels",
)
"""The settings that say what an image of a project means."""

FREE = (
    "This is {}; its scripts work in DaVinci Resolve Studio only. In the free edition export the timeline with File > "
    "Export > Timeline as .otio and use `void otio`."
)
OLD = "This is DaVinci Resolve {}, and 18.5 is the oldest that can be used; update Resolve."
DETACHED = "Resolve has lost its project library, as after a crash; restart Resolve."
NO_PROJECT = "No project is open in Resolve; open one."
NO_NAME = "The project was never saved; save it under a name with File > Save Project As."
NO_TIMELINE = "No timeline is open; open the one that shows the shot."
NO_RATE = "The timeline does not say its frame rate (Timeline.GetSetting); set it in its timeline settings."
RENDERING = "Resolve is rendering; wait until it is done, or stop it on the Deliver page."
SHARED = "Others may work in this project too; what VOID adds lies in a bin and on a track of its own."
STALE = "Somebody else has changed the bin {}, and Resolve shows it as it was; refresh it, then try again."


def problem(level: str, text: str) -> Dict[str, str]:
    """A thing in the way: an `error` stops everything, a `warning` does not."""
    return {"level": level, "text": text}


def version_of(resolve: Resolve) -> Tuple[int, ...]:
    """The leading numbers of the version; none where Resolve does not say."""
    numbers = []
    for part in resolve.version():
        if isinstance(part, bool) or not isinstance(part, (int, float)):
            break
        numbers.append(int(part))
    return tuple(numbers)


def gate(resolve: Resolve) -> Tuple[Project, Timeline]:
    """The project and timeline that are open. Raises HostError with what is in the way, a render aside."""
    wrong, project, timeline = _find(resolve)
    if project is None or timeline is None or wrong:
        raise HostError(wrong, CODE)
    return project, timeline


def _find(resolve: Resolve) -> Tuple[str, Optional[Project], Optional[Timeline]]:
    """What is in the way, and as much as is open. On the free edition nothing is called that opens its dialog."""
    if not resolve.is_studio():
        return FREE.format(resolve.product() or "no DaVinci Resolve Studio"), None, None
    version = version_of(resolve)
    if version < OLDEST:
        return OLD.format(".".join(str(number) for number in version) or "of an unknown version"), None, None
    if resolve.database() is None:
        return DETACHED, None, None
    project = resolve.project()
    if project is None:
        return NO_PROJECT, None, None
    timeline = project.timeline()
    wrong = NO_NAME if project.name() == UNNAMED else NO_TIMELINE if timeline is None else ""
    return wrong, project, timeline


def rate_of_timeline(timeline: Timeline) -> Rate:
    """Its rate, with drop frame where its timecode has it. Raises HostError where it has none."""
    rate = _rate(timeline)
    if rate is None:
        raise HostError(NO_RATE, CODE)
    return rate


def _rate(timeline: Timeline) -> Optional[Rate]:
    drop = ";" in timeline.start_timecode() or timeline.setting("timelineDropFrameTimecode") == "1"
    return rate_of(timeline.setting("timelineFrameRate"), drop)


def size_of_timeline(timeline: Timeline) -> Tuple[int, int]:
    """Width and height of its images in pixels; 0 where it does not say."""
    texts = [timeline.setting("timelineResolution" + what) for what in ("Width", "Height")]
    numbers = [text.split(".")[0] for text in texts]  # some versions give numbers rather than texts
    return (int(numbers[0]), int(numbers[1])) if all(text.isdigit() for text in numbers) else (0, 0)


def colour_of(project: Project, timeline: Optional[Timeline]) -> Dict[str, str]:
    """The settings that say what an image means: the timeline's own where it has them, else the project's."""
    found = {}
    for key in COLOUR:
        value = (timeline.setting(key) if timeline is not None else "") or project.setting(key)
        if value:
            found[key] = value
    return found


def context(resolve: Resolve) -> Dict[str, Any]:
    """All of it, as the driver reads it; never raises for what is in the way."""
    wrong, project, timeline = _find(resolve)
    problems = [problem("error", wrong)] if wrong else []
    result: Dict[str, Any] = {
        "product": resolve.product(),
        "studio": resolve.is_studio(),
        "version": list(version_of(resolve)),
        "project": None,
        "timeline": None,
        "page": "",
        "playhead": None,
        "rendering": False,
        "collaborative": False,
        "colour": {},
        "problems": problems,
    }
    if project is None:
        return result
    rendering = project.is_rendering()
    shared = resolve.is_collaborative(project)
    if shared is None:  # a library that is no folder of this user's can be worked on by many
        shared = (resolve.database() or {}).get("DbType") != "Disk"
    if rendering:
        problems.append(problem("error", RENDERING))
    if shared:
        problems.append(_shared(project))
    result.update(
        project={"name": project.name(), "id": project.id()},
        page=resolve.page(),
        rendering=rendering,
        collaborative=shared,
        colour=colour_of(project, timeline),
    )
    if timeline is not None:
        _add_timeline(result, timeline)
    return result


def _shared(project: Project) -> Dict[str, str]:
    pool = project.pool()
    root, current = pool.root(), pool.current()
    for folder in (root,) if current is None else (root, current):
        if folder.is_stale():
            return problem("error", STALE.format(folder.name()))
    return problem("warning", SHARED)


def _add_timeline(result: Dict[str, Any], timeline: Timeline) -> None:
    rate = _rate(timeline)
    if rate is None:
        result["problems"].append(problem("error", NO_RATE))
        return
    width, height = size_of_timeline(timeline)
    result["timeline"] = {
        "name": timeline.name(),
        "id": timeline.id(),
        "rate": rate.text,
        "drop": rate.drop,
        "start": timeline.start(),
        "end": timeline.end(),
        "width": width,
        "height": height,
    }
    result["playhead"] = frame_of(timeline.playhead(), rate)
