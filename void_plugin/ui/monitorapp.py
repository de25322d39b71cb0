"""`void monitor`: all jobs of a server and of farms, in a window of its own."""

import sys
from collections.abc import Mapping

from void_plugin import __version__
from void_plugin.bridge import Sidecar
from void_plugin.config import load_config
from void_plugin.launch import sidecar_command
from void_plugin.ui.app import application_for
from void_plugin.ui.monitor import MonitorWindow
from void_plugin.ui.monitorwork import ALL_FARMS, MonitorWork


def monitor(server: str | None, farm: str | None, environment: Mapping[str, str]) -> int:
    """Show the monitor until it is closed; returns the exit code. Raises HostError where there is no screen."""
    application = application_for(environment)
    sidecar = Sidecar(sidecar_command(sys.executable), environment, f"monitor {__version__}")
    window = make_monitor(sidecar, server, farm, environment)
    window.show()
    return application.exec()


def make_monitor(
    sidecar: Sidecar, server: str | None, farm: str | None, environment: Mapping[str, str]
) -> MonitorWindow:
    """The monitor's window; an application must be there.

    Where only a farm is named, no server is asked; where only a server is named, no farm; with neither, both are.
    """
    configured = load_config(environment).server
    asked = configured if server is None and farm is None else server
    farms = ALL_FARMS if server is None and farm is None else farm or ""
    return MonitorWindow(MonitorWork(sidecar, asked, farms))
