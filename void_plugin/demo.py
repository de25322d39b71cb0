"""`void demo`: a shot whose truth is known goes through the ordinary removal and is measured.

`void-server` makes the shot and measures the result; in between, everything is what a user's own shot goes through.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from void_plugin.config import Config
from void_plugin.errors import ServerError
from void_plugin.frames import FrameRange
from void_plugin.programs import ask_server
from void_plugin.progress import print_table
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings

LABELS = {
    "psnr": ("PSNR inside the hole", "{:.1f} dB"),
    "worst_psnr": ("worst frame", "{:.1f} dB"),
    "coverage": ("coverage", "{:.1%}"),
    "fps": ("speed", "{:.2f} frames/s"),
    "sheet": ("contact sheet", "{}"),
}
"""How the figures of the report are called and written; others are shown as they come."""


def make(
    config: Config,
    environment: Mapping[str, str],
    folder: str,
    scene: str | None,
    frames: int | None,
    width: int | None,
) -> Mapping[str, str]:
    """Write plate, mattes and truth into `folder`; returns their patterns and the frame range."""
    arguments = ["demo", "make", "--out", folder]
    for name, value in (("scene", scene), ("frames", frames), ("width", width)):
        if value is not None:
            arguments += [f"--{name}", str(value)]
    console = Console()
    with console.status("making the shot"):
        made = ask_server(config, environment, arguments)
    needed = ("plate", "object_matte", "affected_matte", "frames")
    if not isinstance(made, dict) or not all(isinstance(made.get(key), str) for key in needed):
        raise ServerError(f"void-server demo make did not name {', '.join(needed)}; install the same version of both.")
    print_table(console, [("shot", f"{made['plate']} {made['frames']}")])
    return made


def request(made: Mapping[str, str], folder: str, engine: str) -> RemovalRequest:
    """The removal of the shot's object together with its shadow, as a patch and as whole frames."""
    return RemovalRequest(
        plate=ImageInput(made["plate"]),
        object_matte=ImageInput(made["object_matte"]),
        affected_matte=ImageInput(made["affected_matte"]),
        outputs=(
            Output("patch", str(Path(folder) / "result.%04d.exr")),
            Output("comp", str(Path(folder) / "comp.%04d.exr")),
        ),
        frames=FrameRange.parse(made["frames"]),
        shot="demo",
        engine=engine,
        settings=RenderSettings(recover_affected="fill"),
    )


def report(config: Config, environment: Mapping[str, str], folder: str) -> None:
    """Measure the result against the truth and show the figures and the contact sheet's path."""
    console = Console()
    with console.status("measuring"):
        figures = ask_server(config, environment, ["demo", "report", "--out", folder])
    print_table(console, [_row(name, value) for name, value in figures.items()])


def _row(name: str, value: Any) -> tuple[str, str]:
    label, form = LABELS.get(name, (name.replace("_", " "), "{}"))
    return label, form.format(value)
