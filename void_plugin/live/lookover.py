"""Shows the clips that are ready in a panel before their jobs begin: mask, settings, and which of them to send."""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from void_plugin.errors import Cancelled, HostError
from void_plugin.live.running import Wanted
from void_plugin.localfiles import write_whole
from void_plugin.programs import child_environment, kill_group, own_group, void_command

_POLL_SECONDS = 0.2
CANCELLED = 130


def looked_over(
    wanted: Sequence[Wanted],
    outputs: Mapping[str, Path],
    server: str,
    environment: Mapping[str, str],
    check: Callable[[], None],
    command: Sequence[str] = (),
) -> list[Wanted]:
    """The jobs that the user sends, with the requests as they are then; jobs that only go on are not asked about.

    `outputs` names the folder of each clip's versions. Raises Cancelled where the window is closed, HostError where it
    cannot be shown.
    """
    fresh = [one for one in wanted if "requests" in one.args]
    if not fresh:
        return list(wanted)
    asked, by_path = [], {}
    for one in fresh:
        folder = Path(one.args["folder"])
        path = folder / "request.json"
        write_whole(path, json.dumps(one.args["requests"]["main"], indent=2, sort_keys=True) + "\n")
        asked.append({"request": path.as_posix(), "output": outputs[one.shot].as_posix()})
        by_path[path.as_posix()] = one
    listed = Path(fresh[0].args["folder"]) / "choose.json"
    write_whole(listed, json.dumps({"shots": asked}) + "\n")
    try:
        answer = _asked(
            [*(command or void_command("panel", "--choose")), str(listed), *(("--server", server) if server else ())],
            environment,
            check,
        )
    finally:
        listed.unlink(missing_ok=True)
        for name in by_path:
            Path(name).unlink(missing_ok=True)
    chosen = [_changed(by_path[name], request) for name, request in answer.items() if name in by_path]
    return [one for one in wanted if one not in fresh] + chosen


def _asked(command: Sequence[str], environment: Mapping[str, str], check: Callable[[], None]) -> dict[str, Any]:
    """The requests that the panel answers with, by path."""
    process = subprocess.Popen(
        list(command), env=child_environment(command, environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, **own_group(),
    )  # fmt: skip
    try:
        while True:
            check()
            try:
                out, told = process.communicate(timeout=_POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                continue
    finally:
        if process.poll() is None:
            kill_group(process)
            process.communicate()
    if process.returncode == CANCELLED:
        raise Cancelled
    try:
        found = json.loads(out.strip().splitlines()[-1])["send"]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        last = (told.strip().splitlines() or [f"it ended with code {process.returncode}"])[-1]
        raise HostError(f"The panel could not be shown: {last}") from error
    return dict(found)


def _changed(one: Wanted, request: Mapping[str, Any]) -> Wanted:
    return replace(one, args={**one.args, "requests": {"main": dict(request)}})
