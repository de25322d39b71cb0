"""Bundles of fixed requests, word for word: what queue managers get must never change by accident.

Where it is meant to change, `python tests/golden/test_bundles.py` writes them anew; look at the difference.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # where this is run as a program

import pytest
from farms import fixed_bundles

BUNDLES = Path(__file__).parent / "bundles"
NAMES = sorted(fixed_bundles())


def test_there_is_a_folder_for_each_bundle_and_no_other() -> None:
    assert sorted(path.name for path in BUNDLES.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_is_what_it_was(name: str) -> None:
    files = fixed_bundles()[name].files
    assert sorted(files) == sorted(path.name for path in (BUNDLES / name).iterdir())
    for file, text in files.items():
        assert json.loads(text) == json.loads((BUNDLES / name / file).read_text()), file
        assert text == (BUNDLES / name / file).read_text(), file


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_says_what_its_template_says(name: str) -> None:
    """The tasks that other queue managers get are those that OpenJD makes of the template."""
    model = pytest.importorskip("openjd.model")
    made = fixed_bundles()[name]
    template = model.decode_job_template(
        template=json.loads(made.files["template.json"]), supported_extensions=["TASK_CHUNKING"]
    )
    values = model.preprocess_job_parameters(
        job_template=template,
        job_parameter_values=dict(made.bundle.parameters),
        job_template_dir=BUNDLES,
        current_working_dir=BUNDLES,
    )
    job = model.create_job(job_template=template, job_parameter_values=values)
    assert [step.name for step in job.steps] == [step.name for step in made.bundle.steps]
    for theirs, ours in zip(job.steps, made.bundle.steps, strict=True):
        tasks = [
            {name: str(item.value) for name, item in values.items()}
            for values in model.StepParameterSpaceIterator(space=theirs.parameterSpace)
        ]
        assert tasks == [dict(task) for task in ours.tasks]
        assert tuple(found.dependsOn for found in theirs.dependencies or ()) == ours.after


if __name__ == "__main__":
    for name, made in fixed_bundles().items():
        (BUNDLES / name).mkdir(parents=True, exist_ok=True)
        for file, text in made.files.items():
            (BUNDLES / name / file).write_text(text)
