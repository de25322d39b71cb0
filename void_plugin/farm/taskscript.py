"""A shell script for each step, for queue managers that give a task nothing but its number.

The scripts lie beside the bundle. So the command that the queue holds is short, the same for all tasks of a step, and
needs no quoting that differs from one queue manager to the next.

A script also keeps a copy of what its task writes. RQD loses the last lines of a frame, which say why it failed, and
logs of queue managers lie where only their own programs find them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from void_plugin.errors import FarmError
from void_plugin.farm.bundle import Bundle, Step, task_command
from void_plugin.farm.site import Site

SHELL = "/bin/bash"
OWNER = "export VOID_OWNER_PID=$$  # what the task starts ends with this, even where it was killed before that began"
GRACE_SECONDS = 240
"""How long a task that was told to stop may take: enough for a checkpoint and for letting go of the model."""
AWAIT = f"""# Told to stop between two actions, openjd goes on or waits for ever: it has some time to end.
await() {{
    while kill -0 "$child" 2>/dev/null; do
        if [ -z "$since" ]; then
            wait "$child"
            code=$?
        elif [ $((SECONDS - since)) -lt {GRACE_SECONDS} ]; then
            sleep 1
        else
            kill -KILL "$child"
            break
        fi
    done
    if [ -n "$since" ]; then
        wait "$child"
        code=$?
    fi
}}"""
"""Waits for the process `child`, which was told to stop at `since` if that is not empty, and keeps its exit `code`."""
NO_TASK = 64
"""Exit code for a number that no task has: a job that was changed in the queue is bad data, never to be retried."""
NO_PROGRAM = 69
"""Exit code of a worker that lacks what runs its tasks; another one may have it."""

AROUND_SECONDS = 1800
"""What the queue manager allows a task beyond its own limit: loading the model, letting it go, writing a checkpoint.
OpenJD's limits come first, because they give notice."""


_RUN = f"""run() {{
    command -v "$1" >/dev/null || {{
        echo "openjd_fail: The worker $HOSTNAME has no program $1; install it, or name it in the site file."
        return {NO_PROGRAM}
    }}
    since=
    trap 'since=${{since:-$SECONDS}}' TERM
    "$@" &
    child=$!
    await
    return "$code"
}}"""


def limit_seconds(step: Step) -> int:
    """After so long the queue manager ends a task."""
    return step.timeout + AROUND_SECONDS


def script_path(bundle: Bundle, site: Site, farm: str, step: Step) -> str:
    """Where the script of a step lies, as workers know it."""
    return str(Path(site.there(bundle.folder)) / script_name(farm, step))


def script_name(farm: str, step: Step) -> str:
    """The same below the bundle's folder."""
    return f"{farm}/{step.name}.sh"


def task_script(bundle: Bundle, site: Site, step: Step, setup: Sequence[str] = ()) -> str:
    """The text of a script that runs the task whose number, from 0, is its argument; `setup` are lines that come first.

    It ends as the task ends.
    """
    lines = [f"#!{SHELL}", f"# {bundle.name}, {step.name}: run by the queue manager with the number of a task."]
    lines += ["set -o pipefail", "trap : TERM  # the task is told too, and is to end first", OWNER, *setup, AWAIT, _RUN]
    lines.append('case "$1" in')
    for number, task in enumerate(step.tasks):
        lines.append(f"{number}) run {shlex.join(task_command(bundle, site, step.name, [task]))} ;;")
    lines.append(f'*) echo "{step.name} has no task $1." >&2; exit {NO_TASK} ;;')
    # A copy that cannot be written fails no task, and is the last to hear of a signal.
    lines.append("esac 2>&1 | (trap '' TERM INT; tee -a \"${0%.sh}.$1.log\"; true)")
    return "\n".join([*lines, ""])


def task_logs(folder: str, farm: str, steps: Sequence[tuple[str, int]]) -> Iterator[str]:
    """The lines of all copies below a bundle's folder: steps by name and number of tasks, in order.

    Raises FarmError for one that cannot be read.
    """
    for step, tasks in steps:
        for number in range(tasks):
            path = Path(folder) / farm / f"{step}.{number}.log"
            try:
                with open(path, encoding="utf-8", errors="replace") as stream:
                    yield from (line.rstrip("\r\n") for line in stream)
            except FileNotFoundError:
                continue  # it has not run yet
            except OSError as error:
                raise FarmError(f"Cannot read {path}: {error.strerror or error}.") from error
