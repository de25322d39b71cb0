"""Where the windows start: `void panel` and `void monitor` come here."""

import gc
import json
import os
import sys
from collections.abc import Mapping, Sequence

from PySide6.QtWidgets import QApplication

from void_plugin import __version__
from void_plugin.bridge import Sidecar
from void_plugin.config import load_config, state_folder
from void_plugin.errors import HostError
from void_plugin.launch import sidecar_command
from void_plugin.ui.choosing import ChoosingWindow
from void_plugin.ui.decoderclient import DecoderClient
from void_plugin.ui.garbage import Garbage
from void_plugin.ui.window import PanelWindow
from void_plugin.ui.work import Work


def panel(requests: Sequence[str], server: str | None, environment: Mapping[str, str]) -> int:
    """Show the panel with some requests until it is closed; returns the exit code.

    Raises HostError where there is no screen.
    """
    application = application_for(environment)
    window = make_panel(requests, server, environment)
    window.show()
    return application.exec()


def choose(path: str, server: str | None, environment: Mapping[str, str]) -> int:
    """Ask which of the shots that a JSON file lists are to be sent; returns the exit code, 130 where none is.

    Raises HostError where there is no screen or no such file.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            asked = json.load(stream)["shots"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HostError(f"{path} does not list the shots to choose from ({error}).") from error
    application = application_for(environment)
    work = work_of(server, environment)
    window = ChoosingWindow(work, DecoderClient(), unsaved_folder(environment), asked)
    work.start()
    window.show()
    application.exec()
    return 0 if window.answer is not None else 130


def work_of(server: str | None, environment: Mapping[str, str]) -> Work:
    """The work of a panel, with a sidecar of its own; `server` None is the configured one."""
    python = environment.get("VOID_PLUGIN_PYTHON") or sys.executable
    sidecar = Sidecar(sidecar_command(python), environment, f"panel {__version__}")
    return Work(sidecar, load_config(environment).server if server is None else server)


def unsaved_folder(environment: Mapping[str, str]) -> str:
    """Where painted mattes are kept until they are saved."""
    return os.path.join(state_folder(environment), "unsaved")


def make_panel(requests: Sequence[str], server: str | None, environment: Mapping[str, str]) -> PanelWindow:
    """The panel's window, with a sidecar and a decoder of its own; an application must be there."""
    work = work_of(server, environment)
    window = PanelWindow(work, DecoderClient(), unsaved_folder(environment))
    work.start()
    for path in requests:
        work.open(os.path.abspath(path))
    return window


def application_for(environment: Mapping[str, str]) -> QApplication:
    """The application; Qt would end the process without a sentence where there is no screen.

    Raises HostError there.
    """
    on_x = sys.platform.startswith("linux") and not environment.get("QT_QPA_PLATFORM")
    if on_x and not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        raise HostError(
            "There is no screen here ($DISPLAY and $WAYLAND_DISPLAY are unset); use void remove and void jobs, or log "
            "in with a desktop or `ssh -X`."
        )
    application = QApplication.instance() or QApplication(["void"])
    assert isinstance(application, QApplication)
    gc.freeze()  # the program itself is no garbage; to look through it holds the windows up for 10 ms and more
    Garbage(application).start()
    application.setApplicationName("VOID")
    application.setApplicationVersion(__version__)
    return application
