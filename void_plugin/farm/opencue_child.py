"""Talks to OpenCue in a Python of its own: `python opencue_child.py ACTION ARGUMENT`, one JSON object as answer.

The farm `opencue` starts this file with the Python that has pyoutline and pycue, whose pinned packages do not go
together with ours. So it imports nothing of ours. Actions:

    about            versions, who asks, and whether a Cuebot answers
    xml FILE         the job of a JSON file as the XML that Cuebot takes; nothing is submitted
    launch FILE      submit that job
    status ID        how a job and its layers stand
    kill ID          end a job
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from typing import Any

SOMETIMES = ("gpus", "gpu_memory", "tags", "limits", "service")
"""What a layer may leave to Cuebot."""
ROOT = "OpenCue runs no jobs of root; submit as the user whose files they are."


def about(argument: str) -> dict[str, Any]:
    """Versions of the packages, the user's number, and the error of asking Cuebot, if any."""
    import opencue
    import outline  # noqa: F401

    told: dict[str, Any] = {"uid": _uid(), "error": ""}
    told["versions"] = {name: metadata.version(name) for name in ("opencue-pyoutline", "opencue-pycue")}
    try:
        opencue.Cuebot.init()
    except opencue.CueException as error:
        told["error"] = str(error)
    return told


def xml(argument: str) -> dict[str, Any]:
    """The specification that `launch` would send."""
    with tempfile.TemporaryDirectory(prefix="void-outline-") as scratch:
        return {"xml": _launcher(argument, scratch).serialize(use_pycuerun=False)}


def launch(argument: str) -> dict[str, Any]:
    """Submit a job and name it."""
    if _uid() == 0:
        return {"error": ROOT, "code": "farm.refused"}
    with tempfile.TemporaryDirectory(prefix="void-outline-") as scratch:
        job = _launcher(argument, scratch).launch(use_pycuerun=False)[0]
    return {"id": job.id(), "name": job.name()}


def status(argument: str) -> dict[str, Any]:
    """State of a job, and counts of its layers' frames by layer name."""
    import opencue
    from opencue_proto import job_pb2

    job = opencue.api.getJob(argument)
    layers = {}
    for layer in job.getLayers():
        counts = layer.data.layer_stats
        layers[layer.name()] = {
            "total": counts.total_frames,
            "succeeded": counts.succeeded_frames,
            "running": counts.running_frames,
            "waiting": counts.waiting_frames,
            "dead": counts.dead_frames,
            "eaten": counts.eaten_frames,
        }
    return {"name": job.name(), "state": job_pb2.JobState.Name(job.state()), "paused": job.isPaused(), "layers": layers}


def kill(argument: str) -> dict[str, Any]:
    """End a job; what runs is killed."""
    import opencue

    opencue.api.getJob(argument).kill(reason="Cancelled with void farm cancel")
    return {}


def _uid() -> int:
    """The user's number; -1 where users have none."""
    return os.getuid() if hasattr(os, "getuid") else -1


def _launcher(path: str, scratch: str) -> Any:
    """The job that a file describes, ready to be serialised or launched."""
    import outline
    import outline.cuerun
    import outline.depend
    import outline.modules.shell

    # What pyoutline keeps of a job is for frames that run in its own wrapper; ours do not.
    outline.config.set("outline", "session_dir", scratch)
    with open(path, encoding="utf-8") as stream:
        job = json.load(stream)
    script = outline.Outline(job["name"], show=job["show"] or None, shot=job["shot"], facility=job["facility"] or None)
    for layer in job["layers"]:
        arguments = {name: layer[name] for name in ("command", "range", "cores", "memory", "timeout")}
        arguments.update({name: layer[name] for name in SOMETIMES if layer[name]})
        script.add_layer(outline.modules.shell.Shell(layer["name"], **arguments))
    for layer in job["layers"]:
        for other in layer["after"]:
            script.get_layer(layer["name"]).depend_on(script.get_layer(other), outline.depend.DependType.LayerOnLayer)
    launcher = outline.cuerun.OutlineLauncher(script, backend="cue")
    for name, value in (("priority", job["priority"]), ("maxretries", job["retries"]), ("os", job["os"])):
        launcher.set_flag(name, value)
    launcher.set_flag("nomail", True)  # pyoutline would write to an address at example.com
    return launcher


ACTIONS: dict[str, Callable[[str], dict[str, Any]]] = {
    action.__name__: action for action in (about, xml, launch, status, kill)
}


def main() -> int:
    """Run one action; 0 where it did what was asked."""
    # Beside this file lies opencue.py, which is ours and not the package of that name.
    here = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != here]
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the packages print is no answer
    try:
        told = ACTIONS[sys.argv[1]](sys.argv[2] if len(sys.argv) > 2 else "")
    except ImportError as error:
        told = {"error": f"{sys.executable} lacks a package: {error}", "code": "farm.program"}
    except Exception as error:  # the last line of defence of a process: whatever it is, is told
        told = {"error": str(error) or repr(error), "code": _code(error)}
    json.dump(told, answer)
    answer.close()
    return 1 if told.get("code") else 0


def _code(error: Exception) -> str:
    name = type(error).__name__
    if name == "EntityNotFoundException":
        return "farm.job_unknown"
    if name in ("ConnectionException", "DeadlineExceededException", "CancelledException"):
        return "farm.unreachable"
    return "farm.refused"


if __name__ == "__main__":
    sys.exit(main())
