"""The window's end of the decoder process: asks for pictures, keeps the last ones, and starts it again if it dies."""

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from void_plugin.pictures.asks import (
    DROP,
    Dropped,
    Failed,
    Probe,
    Probed,
    Show,
    Shown,
    Views,
    Wish,
    from_message,
    to_message,
)
from void_plugin.ui.helperprocess import HelperProcess

SLOTS = 4
KEPT_BYTES = 1 << 30
"""How much of pictures is kept for playing: 129 of a 1920x1080 view."""
_RESTARTS = 3
"""How often a decoder that dies at once is started again, before the frame that it dies of is given up."""


@dataclass(frozen=True)
class Picture:
    """What came of a wish."""

    image: QImage
    """Null where the frame is missing."""
    full: tuple[int, int]
    """(height, width) of the display window."""
    pixel_aspect: float

    @property
    def missing(self) -> bool:
        """True where there is no such file."""
        return self.image.isNull()


class DecoderClient(QObject):
    """Pictures of frames, made by another process; all methods are for the thread of the window."""

    shown = Signal(object, object)
    """(Wish, Picture) once a picture is there."""
    failed = Signal(object, str)
    """(Wish, sentence) where there will be none."""
    probed = Signal(int, object)
    """(ticket, values by channel) of a pixel."""
    views_known = Signal(list)
    """The views of the display, the default one first."""
    unwell = Signal(str)
    """Why no colour can be shown, as a sentence."""

    def __init__(self, parent: QObject | None = None, kept_bytes: int = KEPT_BYTES) -> None:
        super().__init__(parent)
        self._most, self._held = kept_bytes, 0
        self._kept: OrderedDict[Wish, Picture] = OrderedDict()
        self._asked: dict[int, Wish] = {}
        self._slots: dict[int, int] = {}
        self._free = list(range(SLOTS))
        self._queue: deque[Wish] = deque()
        self._current: set[Wish] = set()
        self._ticket = self._deaths = 0
        self._helper = HelperProcess("void_plugin.pictures.decoder", SLOTS, self)
        self._helper.heard.connect(self._heard)
        self._helper.died.connect(self._died)

    # -- what a window asks ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the process, so that the first picture need not wait for it."""
        self._helper.start()

    def kept(self, wish: Wish) -> Picture | None:
        """The picture of a wish where it is at hand; None where it must be asked for."""
        found = self._kept.get(wish)
        if found is not None:
            self._kept.move_to_end(wish)
        return found

    def want(self, wishes: list[Wish], instead: bool = True) -> None:
        """Ask for pictures, the first one first; `instead` forgets what was asked before and not begun."""
        if instead:
            self._queue.clear()
            if self._asked:
                self._helper.send(DROP)
            self._current.clear()
        self._current.update(wishes)
        under_way = set(self._asked.values())
        for wish in wishes:
            if wish in self._kept or wish in under_way or wish in self._queue:
                continue
            self._queue.append(wish)
        self._pump()

    def probe(self, pattern: str, frame: int, x: int, y: int) -> int:
        """Ask for the values of one pixel; returns the ticket that `probed` will carry."""
        self._ticket += 1
        self._helper.send(to_message(Probe(self._ticket, pattern, frame, x, y)))
        return self._ticket

    def forget(self, pattern: str) -> None:
        """Drop what is kept of a sequence, because its files have changed."""
        for wish in [wish for wish in self._kept if pattern in (wish.pattern, wish.other)]:
            self._held -= self._kept.pop(wish).image.sizeInBytes()

    def held_bytes(self) -> int:
        """How much memory kept pictures take."""
        return self._held

    @property
    def process_id(self) -> int | None:
        """The decoder's process; None where none runs."""
        return self._helper.process_id

    def close(self) -> None:
        """End the decoder and give its memory back; a second time does nothing."""
        self._helper.close()
        self._kept.clear()

    # -- the process -----------------------------------------------------------------------------------------

    def _pump(self) -> None:
        while self._queue and self._free:
            wish, slot = self._queue.popleft(), self._free.pop()
            self._ticket += 1
            self._asked[self._ticket], self._slots[self._ticket] = wish, slot
            self._helper.send(to_message(Show(self._ticket, slot, wish)))

    def _heard(self, message: Mapping[str, object]) -> None:
        answer = from_message(message)
        if isinstance(answer, Probed):
            self.probed.emit(answer.ticket, dict(answer.values))
        elif isinstance(answer, Dropped):
            lost = [self._done(ticket) for ticket in answer.tickets]
            # What was dropped may have been asked for again meanwhile.
            again = [wish for wish in lost if wish in self._current and wish not in self._queue]
            self._queue.extendleft(wish for wish in reversed(again) if wish is not None)
        elif isinstance(answer, Views):
            self.views_known.emit(list(answer.names))
        elif isinstance(answer, Failed) and not answer.ticket:
            self.unwell.emit(answer.text)
        elif isinstance(answer, Failed):
            wish = self._done(answer.ticket)
            if wish is not None:
                self.failed.emit(wish, answer.text)
        elif isinstance(answer, Shown):
            self._take(answer)
        self._pump()

    def _take(self, answer: Shown) -> None:
        image = QImage()
        if not answer.missing:
            kind = QImage.Format.Format_RGBX8888
            with self._helper.picture(answer.slot, answer.height, answer.width, kind) as made:
                image = made.copy()
                del made
        self._deaths = 0
        wish = self._done(answer.ticket)
        if wish is None:
            return
        picture = Picture(image, answer.full, answer.pixel_aspect)
        self._keep(wish, picture)
        self.shown.emit(wish, picture)

    def _done(self, ticket: int) -> Wish | None:
        slot = self._slots.pop(ticket, None)
        if slot is not None:
            self._free.append(slot)
        return self._asked.pop(ticket, None)

    def _keep(self, wish: Wish, picture: Picture) -> None:
        if picture.missing:
            return  # it may be there the next time
        self._kept[wish] = picture
        self._held += picture.image.sizeInBytes()
        while self._held > self._most and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self._held -= old.image.sizeInBytes()

    def _died(self, code: int) -> None:
        """Ask again for what was under way; after some deaths in a row, give that up."""
        self._deaths += 1
        lost = list(self._asked.values())
        for ticket in list(self._asked):
            self._done(ticket)
        if self._deaths <= _RESTARTS:
            self._queue.extendleft(reversed(lost))
        else:
            self._deaths = 0
            for wish in lost:
                text = f"The decoder ended (code {code}) at frame {wish.frame} of {wish.pattern}."
                self.failed.emit(wish, text)
        self._pump()
