"""What the fixed bundles become for queue managers that do not take them as they are, word for word.

Where it is meant to change, `python tests/golden/test_queues.py` writes it anew; look at the difference. The XML that
pyoutline makes of OpenCue's job is held in tests/e2e/test_farm_opencue.py.
"""

import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # where this is run as a program

import pytest
from farms import QUEUE_SITES, fixed_bundles, queue_artefacts

QUEUES = Path(__file__).parent / "queues"
COMMANDS = "commands.txt"
BUNDLES = ("hybrid", "generated", "packed")
CASES = [(farm, bundle) for farm in QUEUE_SITES for bundle in BUNDLES]


def texts(farm: str, bundle: str) -> dict[str, str]:
    """The files and the commands of one translation, by the name of the file that holds them here."""
    artefacts = queue_artefacts(farm, fixed_bundles()[bundle].bundle)
    lines = [shlex.join(command) for command in artefacts.commands]
    named = {name.removeprefix(f"{farm}/"): text for name, text in artefacts.files.items()}
    return {**named, COMMANDS: "\n".join([*lines, ""])}


def kept(farm: str, bundle: str) -> dict[str, str]:
    """The same as it is held; what e2e tests hold beside it has another ending."""
    folder = QUEUES / farm / bundle
    return {path.name: path.read_text() for path in folder.iterdir() if path.suffix != ".xml"}


@pytest.mark.parametrize(("farm", "bundle"), CASES)
def test_a_translation_is_what_it_was(farm: str, bundle: str) -> None:
    assert texts(farm, bundle) == kept(farm, bundle)


if __name__ == "__main__":
    for farm, bundle in CASES:
        (QUEUES / farm / bundle).mkdir(parents=True, exist_ok=True)
        for name, text in texts(farm, bundle).items():
            (QUEUES / farm / bundle / name).write_text(text)
