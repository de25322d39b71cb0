"""What Slurm gets of fixed bundles, word for word.

Where it is meant to change, `python tests/golden/test_slurm_scripts.py` writes it anew; look at the difference.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # where this is run as a program

import pytest
from farms import fixed_bundles

from void_plugin.farm import Options, Site
from void_plugin.farm.slurm import Slurm

SCRIPTS = Path(__file__).parent / "slurm"
GPUS = [
    {"name": "vram24", "vram_mib": 23034},
    {"name": "vram48", "vram_mib": 46068},
    {"name": "h200", "vram_mib": 143771},
]
CASES = {
    "recover": (Site(), Options()),
    "packed": (
        Site(
            sections={
                "slurm": {
                    "partition": "gpu", "cpu_partition": "cpu", "account": "vfx", "qos": "night", "time_limit": 240,
                    "at_once": 8, "setup": ["module load void"], "options": ["--exclude=node7"], "gpus": GPUS,
                }
            }
        ),
        Options(priority=30, retries=1, tags=("ib",)),
    ),
}  # fmt: skip


def translated(name: str) -> dict[str, str]:
    site, options = CASES[name]
    artefacts = Slurm(site, {}).translate(fixed_bundles()[name].bundle, options)
    files = {Path(file).name: text for file, text in artefacts.files.items()}
    return {**files, "commands.txt": "".join(f"{shlex.join(command)}\n" for command in artefacts.commands)}


@pytest.mark.parametrize("name", CASES)
def test_slurm_gets_what_it_got(name: str) -> None:
    found = translated(name)
    assert sorted(found) == sorted(path.name for path in (SCRIPTS / name).iterdir())
    for file, text in found.items():
        assert text == (SCRIPTS / name / file).read_text(), file


@pytest.mark.parametrize("name", CASES)
def test_a_script_is_bash(name: str) -> None:
    for path in (SCRIPTS / name).glob("*.sh"):
        assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0, path


if __name__ == "__main__":
    for name in CASES:
        (SCRIPTS / name).mkdir(parents=True, exist_ok=True)
        for file, text in translated(name).items():
            (SCRIPTS / name / file).write_text(text)
