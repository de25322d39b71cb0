"""Before anything is rendered: is there room, a server and an engine, and if so, a folder for the next version."""

import contextlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from void_plugin.config import load_config
from void_plugin.desk import Desk
from void_plugin.errors import Cancelled, VoidError
from void_plugin.farm import errors_in
from void_plugin.farm.asking import within
from void_plugin.farmjobs import FarmJobs
from void_plugin.frames import FrameRange
from void_plugin.hostcall import HostCall
from void_plugin.jobrecord import JobRecord, now
from void_plugin.localfiles import disk_error, undisturbed
from void_plugin.programs import server_command
from void_plugin.serverfacts import ask, config_for, why_not
from void_plugin.versions import PREVIEW, TEST, give_back, renew, reserve, sweep

SERVER_SECONDS = 30.0
"""How long a server may take to say what it can run, and void-server here to load for the first time."""
FARM_SECONDS = 30.0
"""How long a farm's programs may take to say that they are there."""
ROOM = 2.0
"""Results and work in progress may need about as much as the inputs; less room is warned about."""


def prepare(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Check everything at once, and reserve a folder where nothing stands in the way.

    The result holds `problems`, each with its level and sentence, the `version` (0 without a number) and the `folder`,
    which is empty where there is an error among the problems.
    """
    problems = Problems()
    output = Path(call.text("output"))
    made = _check_output(output, call.whole("bytes"), problems)
    version, folder = 0, ""
    try:
        if call.flag("on_farm"):
            _check_farm(desk.environment, call, problems)
        else:
            _check_server(desk.environment, call, problems)
        call.check()
        if not problems.stop:
            version, reserved = _reserve(desk, call, output)
            folder = reserved.as_posix()
    except VoidError as error:
        problems.error(error.message)
    finally:
        if not folder:
            for path in made:
                with contextlib.suppress(OSError):  # somebody else may have put something there meanwhile
                    path.rmdir()
    return {"problems": problems.found, "version": version, "folder": folder}


class Problems:
    """What stands in the way, and what is worth knowing."""

    def __init__(self) -> None:
        self.found: list[dict[str, str]] = []

    @property
    def stop(self) -> bool:
        """True where one of them is an error."""
        return any(problem["level"] == "error" for problem in self.found)

    def error(self, text: str) -> None:
        """Something without which it makes no sense to begin."""
        self.found.append({"level": "error", "text": text})

    def warning(self, text: str) -> None:
        """Something that may go wrong."""
        self.found.append({"level": "warning", "text": text})


def _check_output(output: Path, size: int, problems: Problems) -> list[Path]:
    """Make the output folder where it is not there; returns the folders made, the deepest first."""
    if not output.is_absolute():
        problems.error(f"The output folder {str(output)!r} must be a whole path; save the script, or name a folder.")
        return []
    try:
        str(output).encode("utf-8")
    except UnicodeEncodeError:
        problems.error(f"The output folder {str(output)!r} has a name that is no text; choose another.")
        return []
    missing = [path for path in (output, *output.parents) if not path.exists()]

    def prove() -> int:
        output.mkdir(parents=True, exist_ok=True)
        sweep(output)
        with tempfile.TemporaryFile(dir=output):
            return shutil.disk_usage(output).free

    try:
        free = undisturbed(prove)
    except FileExistsError:
        problems.error(f"The output folder {output} is a file; choose another name.")
    except NotADirectoryError:
        problems.error(f"The output folder {output} would lie in a file; choose another place.")
    except OSError as error:
        problems.error(disk_error(error, output).message)
    else:
        _check_room(output, size, free, problems)
    return missing


def _check_room(output: Path, size: int, free: int, problems: Problems) -> None:
    told = f"the inputs need about {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"
    if free < size:
        problems.error(f"The disk that holds {output} is too full: {told}. Free some space or choose another folder.")
    elif free < ROOM * size:
        problems.warning(f"The disk that holds {output} is nearly full: {told}, so the result may not fit.")


def _check_server(environment: Mapping[str, str], call: HostCall, problems: Problems) -> None:
    facts = ask(config_for(environment, call.text("server", "")), environment, SERVER_SECONDS)
    # To see what an engine would be told, none has to run.
    why = "" if _is_preview(call) else why_not(call.text("engine", "auto"), facts)
    if why:
        problems.error(why)


def _check_farm(environment: Mapping[str, str], call: HostCall, problems: Problems) -> None:
    """What of the farm is not here; which engine its workers can run is their business."""
    try:
        farm = FarmJobs(environment).chosen(call.text("farm", ""))
        found = within(FARM_SECONDS, farm.name, farm.doctor)
        command = server_command(load_config(environment), environment)[0]
    except VoidError as error:
        problems.error(error.message)
        return
    if shutil.which(command, path=environment.get("PATH")) is None:
        problems.error(
            f"The job is planned on this machine, where void-server is not to be found as {command}; correct "
            "$VOID_SERVER_COMMAND or server_command in the configuration."
        )
    for finding in errors_in(found):
        problems.error(finding.text)


def _reserve(desk: Desk, call: HostCall, output: Path) -> tuple[int, Path]:
    node = {key: call.text(key, "") for key in ("uuid", "name", "script")}
    frames = str(FrameRange.parse(call.text("frames")))
    record = JobRecord(kind=call.text("kind", "remove"), frames=frames, node=node, made=now()).ours()
    if _is_preview(call):
        version, folder = 0, renew(output / PREVIEW, record)
    elif call.flag("test"):
        version, folder = 0, renew(output / TEST, record)
    else:
        version, folder = reserve(output, record)
    if call.ended or not desk.reserve(folder):  # just now: nobody will ask for it
        give_back(folder)
        raise Cancelled
    return version, folder


def _is_preview(call: HostCall) -> bool:
    return call.text("kind", "remove") == "preview"
