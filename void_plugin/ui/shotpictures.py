"""What there is to see of a shot, by kind, as wishes for the decoder."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from void_plugin.frames import FrameRange
from void_plugin.pictures.asks import Look, Wish

KINDS: Mapping[str, str] = {
    "plate": "Plate",
    "matte": "Matte",
    "overlay": "Mask overlay",
    "result": "Result",
    "difference": "Difference",
}
"""Everything that can be looked at, with what people call it."""


@dataclass(frozen=True)
class Source:
    """The files behind one kind."""

    pattern: str
    role: str = "colour"
    other: str = ""
    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShotPictures:
    """One shot as the viewer knows it."""

    frames: FrameRange
    sources: Mapping[str, Source]
    fps: float = 24.0
    colour: str = ""
    """Colour space of the plate; empty reads the files."""

    def has(self, kind: str) -> bool:
        """True where there are files to show for a kind."""
        return kind in self.sources

    def wish(
        self,
        kind: str,
        frame: int,
        size: tuple[int, int],
        look: Look,
        region: tuple[int, int, int, int] | None = None,
        draft: bool = False,
    ) -> Wish:
        """One frame of a kind, at most as large as `size` (height, width)."""
        source = self.sources[kind]
        return Wish(
            source.pattern, frame, size, source.role, source.other, source.channels,
            replace(look, colour=self.colour), region, draft,
        )  # fmt: skip
