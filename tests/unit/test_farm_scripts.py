"""Scripts of tasks as a queue manager runs them, with a program in the place of openjd that does not listen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from farms import fixed_bundles

from void_plugin.farm import Bundle, Options, Site
from void_plugin.farm.slurmscript import NOTICE_SECONDS, batch_script, log_name
from void_plugin.farm.slurmsite import SlurmSite
from void_plugin.farm.taskscript import GRACE_SECONDS, task_script

DEAF = """#!{python}
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("begun, owned by", os.environ["VOID_OWNER_PID"], flush=True)
time.sleep(600)
"""
"""As openjd is that misses a signal between two actions."""
REQUEUE = '#!/bin/sh\necho "$@" >>"$0.said"\nexit 1\n'


def program(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(openjd=(program(tmp_path / "openjd", DEAF.format(python=sys.executable)),))


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return replace(fixed_bundles()["recover"].bundle, folder=str(tmp_path))


def impatient(script: str) -> str:
    """A script that waits for a second where it would wait for minutes."""
    assert script.count(f"-lt {GRACE_SECONDS} ]") == 1
    return script.replace(f"-lt {GRACE_SECONDS} ]", "-lt 1 ]")


def told_to_stop(
    path: Path, arguments: list[str], environment: Mapping[str, str], tell: Callable[[int], None], log: Path
) -> tuple[int, str]:
    """How a script ends that is told to stop once its task runs, and what it wrote."""
    with open(log, "wb") as stream:
        child = subprocess.Popen(
            ["/bin/bash", str(path), *arguments], cwd=path.parent, env={**os.environ, **environment}, stdout=stream,
            stderr=stream, start_new_session=True,
        )  # fmt: skip
    with child:
        while b"begun" not in log.read_bytes():
            assert child.poll() is None, log.read_text()
        tell(child.pid)
        code = child.wait(timeout=60)
    text = log.read_text()
    assert f"begun, owned by {child.pid}\n" in text, "a killed script would leave its task"
    return code, text


def test_a_task_that_does_not_hear_that_it_is_to_stop_is_ended(tmp_path: Path, site: Site, bundle: Bundle) -> None:
    path = tmp_path / "Solve.sh"
    path.write_text(impatient(task_script(bundle, site, bundle.steps[0])))
    code, _ = told_to_stop(path, ["0"], {}, lambda pid: os.killpg(pid, signal.SIGTERM), tmp_path / "log")
    assert code == 128 + signal.SIGKILL


@pytest.mark.parametrize(("number", "code", "asks"), [(signal.SIGTERM, 143, ""), (signal.SIGUSR1, 1, "requeue 7_0\n")])
def test_a_task_of_slurm_that_does_not_hear_it_ends_in_time_to_be_run_again(
    tmp_path: Path, site: Site, bundle: Bundle, number: signal.Signals, code: int, asks: str
) -> None:
    assert GRACE_SECONDS < NOTICE_SECONDS - 30
    step, path = bundle.steps[0], tmp_path / "Solve.sh"
    path.write_text(impatient(batch_script(bundle, site, SlurmSite(), step, Options(retries=1))))
    asked = program(tmp_path / "scontrol", REQUEUE)
    environment = {
        "SLURM_ARRAY_TASK_ID": "0", "SLURM_JOB_ID": "8", "SLURM_ARRAY_JOB_ID": "7", "SLURMD_NODENAME": "here",
        "TMPDIR": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }  # fmt: skip
    found, _ = told_to_stop(path, [], environment, lambda pid: os.kill(pid, number), tmp_path / log_name(step.name, 0))
    assert found == code and (tmp_path / f"{step.name}.0.exit").read_text() == f"{code}\n"
    said = Path(f"{asked}.said")
    assert (said.read_text() if said.exists() else "") == asks
    assert not list(tmp_path.glob("void-slurm-*/[0-9]*"))
