"""What is to be done for each clip that was picked, and why some cannot be sent, before anything is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from void_plugin.editorial.colourtags import DELIVER, SOURCE, is_inherited, plate_tag
from void_plugin.editorial.notes import Note
from void_plugin.errors import RequestError, VoidError
from void_plugin.frames import ImageSequence
from void_plugin.live.choices import Choices
from void_plugin.live.exrtags import colour_tag
from void_plugin.live.films import Films
from void_plugin.live.hostside import HostSide
from void_plugin.live.mattes import TRACK, Mattes, fitted, mattes_of
from void_plugin.live.routes import FILES, RENDER, Plate, plate_of, rendered_plate, warnings_of
from void_plugin.live.timelinefacts import Context, LiveShot, folder_name
from void_plugin.live.truth import look

if TYPE_CHECKING:
    from void_plugin.editorial.sights import Sight

RESULTS = "VOID"
"""Folder of results beside that of the media."""
RENDERED = "rendered by Resolve"
AUTO = ("selected", "playhead", "markers")
"""What picks clips where the user has not said it, the first that picks any."""


@dataclass
class Plan:
    """What one clip needs."""

    shot: LiveShot
    note: Note = field(default_factory=Note)
    plate: Plate | None = None
    mattes: Mattes = field(default_factory=Mattes)
    colour: str = ""
    """Colour space of the plate; empty where only the files can say it."""
    output: Path | None = None
    """Folder of the versions."""
    problems: list[str] = field(default_factory=list)
    """Why it cannot be sent."""
    warnings: list[str] = field(default_factory=list)

    @property
    def handles(self) -> int:
        """Frames delivered beyond the cut, at the longer end."""
        assert self.plate is not None
        used, delivered = self.plate.used, self.plate.delivered
        return max(used.first - delivered.first, delivered.last - used.last)

    def row(self) -> dict[str, Any]:
        """What is to be shown of it."""
        plate = self.plate
        return {
            "name": self.shot.name,
            "clip": self.shot.clip,
            "shot": self.shot.id,
            "track": self.shot.track_name or str(self.shot.track),
            "record": list(self.shot.record),
            "plate": "" if plate is None else plate.movie.path if plate.movie else plate.pattern or RENDERED,
            "frames": "" if plate is None else str(plate.delivered),
            "matte": self.mattes.why,
            "colour": self.colour or "unknown",
            "problems": list(self.problems),
            "warnings": list(self.warnings),
        }


def picked(host: HostSide, choices: Choices) -> list[LiveShot]:
    """The clips that are wanted. Raises RequestError, with how to pick some, where there are none."""
    for pick in AUTO if choices.pick == "auto" else (choices.pick,):
        found = [shot for shot in host.shots(pick) if choices.takes(shot)]
        if found:
            return found
    if choices.names:
        raise RequestError(f"No clip that was picked is called {' or '.join(choices.names)}.")
    raise RequestError(
        "No clip is picked: select some on the Edit page, put the playhead over one, or give them a marker VOID."
    )


def plans_of(
    host: HostSide, context: Context, choices: Choices, shots: Sequence[LiveShot], check: Callable[[], None]
) -> list[Plan]:
    """What each clip needs. Asks the host for its timeline as OTIO, and looks for files; writes nothing."""
    sights, why_blind = look(host, shots)
    films = Films()
    plans = []
    for shot in shots:
        check()
        plan = Plan(shot)
        plan.problems += [one["text"] for one in shot.problems if one["level"] == "error"]
        plan.warnings += [one["text"] for one in shot.problems if one["level"] != "error"]
        if why_blind:
            plan.warnings.append(why_blind)
        try:
            _fill(plan, sights.get(shot.id), context, choices, films)
        except VoidError as error:
            plan.problems.append(error.message)
        plans.append(plan)
    return plans


def _fill(plan: Plan, sight: "Sight | None", context: Context, choices: Choices, films: Films) -> None:
    shot = plan.shot
    plan.note = choices.note(shot)
    handles = plan.note.handles or 0
    if plan.note.plate:
        plan.warnings.append("plate: in a note is for void otio; here the plate is what the timeline shows")
    plate = plate_of(shot, sight, context, choices, handles, films)
    if choices.plate == FILES and plate.route == RENDER:
        raise RequestError(f"The files of {shot.clip} cannot be taken as its plate: {plate.why}.")
    plan.mattes = mattes_of(shot, plate, plan.note, choices)
    if plan.mattes.saver is not None and not _fills_the_frame(shot, context):
        raise RequestError(
            f"{shot.clip} is sized on the timeline, and {plan.mattes.why} is not; lay that over it on a track {TRACK}."
        )
    if plan.mattes.track is not None and plate.route != RENDER and not _fills_the_frame(shot, context):
        if choices.plate == FILES:
            plan.warnings.append(f"the track {TRACK} shows the sized picture, and the files of the plate are not sized")
        else:  # one way for both, so that they cannot be out of step
            why = f"its matte is on the track {TRACK}, which shows the sized picture"
            plate = replace(rendered_plate(shot, why), source=plate.source, steady=plate.steady)
    plan.plate = fitted(plate, plan.mattes)
    plan.warnings += warnings_of(shot, sight, plan.plate, handles)
    _tag(plan, plan.plate, context)
    plan.output = output_of(shot, context, choices)


def _tag(plan: Plan, plate: Plate, context: Context) -> None:
    """Settle the colour space: what the user says, the clip's own setting, its files' tag, what the project says."""
    colour = plan.shot.source.colour
    tag = plate_tag(DELIVER if plate.route == RENDER else SOURCE, context.colour, colour)
    own = tag.known and not is_inherited(colour)
    of_files = _tag_of_files(plate)
    if plan.note.colour:
        plan.colour = plan.note.colour
    elif of_files and not own:
        plan.colour = of_files
        if tag.known and tag.id != of_files:
            plan.warnings.append(f"its files say that they are {of_files}, which is taken; {tag.text}")
    elif tag.known:
        plan.colour = tag.id
    elif plate.movie is not None:
        plan.colour = plate.movie.declared
        plan.warnings.append(f"its movie says no colour space and is taken for {plan.colour}; {tag.text}")
    else:
        plan.warnings.append(tag.text)
    if plan.colour and tag.warning:
        plan.warnings.append(tag.warning)


def _tag_of_files(plate: Plate) -> str:
    if plate.movie is not None:
        return plate.movie.colour if plate.movie.tagged else ""
    return colour_tag(ImageSequence(plate.pattern).path(plate.used.first)) if plate.route == FILES else ""


def _fills_the_frame(shot: LiveShot, context: Context) -> bool:
    """True where a pixel of the media is a pixel of the timeline."""
    return shot.source.size == context.size and shot.transformed is False


def output_of(shot: LiveShot, context: Context, choices: Choices) -> Path:
    """The folder of a clip's versions. Raises RequestError where nothing says a place."""
    if choices.output:
        root = Path(choices.output)
    elif shot.ours.get("folder"):  # its versions stay together, also where its name was given to another since
        return Path(str(shot.ours["folder"])).parent
    elif shot.source.pattern:
        root = Path(shot.source.pattern).parent.parent / RESULTS
    else:
        raise RequestError(f"Nothing says where the results of {shot.clip} belong; name a folder with --output.")
    if not root.is_absolute():
        raise RequestError(f"The folder {root} must be a whole path, since Resolve has its own idea of where it is.")
    return root / folder_name(str(context.timeline["name"])) / shot.name
