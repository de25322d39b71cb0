"""A shell script for each step, for queue managers that give a task nothing but its number.

The script lies beside the bundle. So the command that the queue holds is short, the same for all tasks of a step, and
needs no quoting that differs from one queue manager to the next.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from void_plugin.farm.bundle import Bundle, Step, task_command
from void_plugin.farm.site import Site

NO_TASK = 64
"""Exit code for a number that no task has: a job that the queue has changed is bad data, never to be retried."""


def script_path(bundle: Bundle, farm: str, step: Step) -> str:
    """Where the script of a step lies."""
    return str(Path(bundle.folder) / script_name(farm, step))


def script_name(farm: str, step: Step) -> str:
    """The same below the bundle's folder."""
    return f"{farm}/{step.name}.sh"


def task_script(bundle: Bundle, site: Site, step: Step, setup: Sequence[str] = ()) -> str:
    """The text of a script whose argument is the number of a task, from 0; it becomes that task's command.

    `setup` are lines that come first.
    """
    lines = ["#!/bin/sh", f"# {bundle.name}, {step.name}: run by the queue manager with the number of a task.", *setup]
    lines.append('case "$1" in')
    lines += [
        f"{number}) exec {shlex.join(task_command(bundle, site, step.name, [task]))} ;;"
        for number, task in enumerate(step.tasks)
    ]
    lines.append(f'*) echo "{step.name} has no task $1." >&2; exit {NO_TASK} ;;')
    return "\n".join([*lines, "esac", ""])
