"""One shot as it is painted on: its files and frames, and what is painted, which a journal keeps until it is saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from void_plugin.frames import FrameRange, ImageSequence
from void_plugin.pictures.journal import Journal, Record
from void_plugin.pictures.mattefiles import MatteFiles, frames_of
from void_plugin.pictures.painting import Painting, Sheet, Step
from void_plugin.pictures.planes import Plane


@dataclass
class Sheets:
    """A shot with its painting."""

    shot: str
    """What the window calls it."""
    files: MatteFiles
    frames: FrameRange
    around: FrameRange | None
    folder: Path
    """Where versions of its mattes go."""
    painting: Painting
    saved: Mapping[Sheet, Plane] = field(default_factory=dict)
    """What was painted when it was last saved."""
    saved_labels: tuple[str, ...] = ()
    """The labels that the last version has."""
    journal: Journal | None = None
    """Keeps each step; None where that cannot be."""
    problem: str = ""
    """Why steps are not kept, as a sentence that has not been told yet."""
    came_back: bool = False
    """True where an earlier painter has left steps, which are here again."""
    _saving: dict[int, Mapping[Sheet, Plane]] = field(default_factory=dict)

    @classmethod
    def of_message(cls, message: Mapping[str, Any]) -> Sheets:
        """A shot that a window has opened, with what an earlier painter has left of it.

        Raises FrameError where no frame of its plate can be read.
        """
        facts = {"mattes": message["mattes"], "quadmask": message.get("quadmask")}
        fresh = cls._of_facts(message, facts)
        folder = Path(message["unsaved"])
        about = [str(message["folder"]), fresh.files.plate, fresh.painting.size]
        try:
            journal = Journal.taken(folder, about, lambda said: facts in _inputs(said))
        except OSError as error:
            fresh.problem = _problem(folder, error)
            return fresh
        try:
            made = fresh._after(journal, message)
        except OSError as error:
            journal.close()
            fresh.problem = _problem(folder, error)
            return fresh
        made.journal = journal
        made.painting.watch(made._note)
        return made

    @classmethod
    def _of_facts(cls, message: Mapping[str, Any], facts: Record) -> Sheets:
        """A shot whose mattes are those of files."""
        mattes = {label: (str(pattern), tuple(names)) for label, (pattern, names) in facts["mattes"].items()}
        ready = facts["quadmask"]
        files = MatteFiles(str(message["plate"]), mattes, (str(ready[0]), tuple(ready[1])) if ready else None)
        frames = FrameRange.parse(message["frames"])
        size = files.size(list(frames))
        around = FrameRange.parse(message["around"]) if message.get("around") else None
        painting = Painting(size, lambda frame, label: files.matte(frame, label, size))
        return cls(str(message["shot"]), files, frames, around, Path(message["folder"]), painting)

    def _after(self, journal: Journal, message: Mapping[str, Any]) -> Sheets:
        """The shot with the steps of a journal, of which only those that are not saved are of interest.

        After the painter alone has died (`again`) all are: its window goes on with what was done before.
        Raises OSError.
        """
        said = journal.said()
        if said:
            left = self._of_facts(message, _inputs(said)[0])
            journal.replay(left.painting, left._heard)
            if left.unsaved() or message.get("again"):
                left.came_back = True
                return left
            journal.clear()
        journal.say({"do": "begin", "mattes": message["mattes"], "quadmask": message.get("quadmask")})
        return self

    def unsaved(self) -> bool:
        """True where there is something that the last version has not."""
        touched = self.painting.touched()
        return touched.keys() != self.saved.keys() or any(self.saved[sheet] is not touched[sheet] for sheet in touched)

    def to_save(self) -> list[int]:
        """The frames that a version of the mattes has."""
        pattern = self.files.quadmask or self.files.mattes.get("remove", ("", ()))
        on_disk = ImageSequence(pattern[0]).on_disk() if pattern[0] else []
        return frames_of(self.frames, self.around, [*on_disk, *(frame for frame, _ in self.painting.touched())])

    def saving(self, ticket: int) -> Mapping[Sheet, Plane]:
        """Begin to save what is painted now, and return that."""
        self._heard_and_said({"do": "saving", "ticket": ticket})
        return self._saving[ticket]

    def has_saved(self, ticket: int, patterns: Mapping[str, str]) -> None:
        """Take note that what was painted when saving began is in files now."""
        self._heard_and_said({"do": "saved", "ticket": ticket, "patterns": dict(patterns)})

    def leave(self, discard: bool) -> None:
        """End; what is not saved stays for the next painter, unless it is not wanted."""
        if self.journal is not None and (discard or not self.unsaved()):
            self.journal.discard()
        elif self.journal is not None:
            self.journal.close()
        self.journal = None

    def _heard_and_said(self, record: Record) -> None:
        self._heard(record)
        self._write(lambda journal: journal.say(record))

    def _heard(self, record: Record) -> None:
        """Take note of something that a journal says, or is to say."""
        if record["do"] == "saving":
            self._saving[int(record["ticket"])] = self.painting.touched()
        elif record["do"] == "saved":
            self.saved = self._saving.pop(int(record["ticket"]))
            self.saved_labels = tuple(record["patterns"])

    def _note(self, what: str, step: Step) -> None:
        self._write(lambda journal: journal.note(what, step))

    def _write(self, write: Callable[[Journal], None]) -> None:
        """Write into the journal; one that cannot be written any more is left as it is."""
        if self.journal is None:
            return
        try:
            write(self.journal)
        except OSError as error:
            self.problem = _problem(self.journal.path.parent, error)
            self.journal.close()
            self.journal = None


def _inputs(said: list[Record]) -> list[dict[str, Any]]:
    """The mattes that a journal begins with, and those that each saving has put in their place."""
    begin = next(record for record in said if record["do"] == "begin")
    found = [{"mattes": begin["mattes"], "quadmask": begin["quadmask"]}]
    for record in said:
        if record["do"] == "saved":
            saved = {label: [pattern, []] for label, pattern in record["patterns"].items()}
            found.append({"mattes": {**found[-1]["mattes"], **saved}, "quadmask": None})
    return found


def _problem(folder: Path, error: OSError) -> str:
    return (
        f"What is painted is not kept safe from a crash, as {folder} cannot be written ({error.strerror or error}); "
        "save the mattes every now and then."
    )
