"""The options of `void submit` and `void farm`."""

import argparse
from typing import Any


def add_farm(commands: Any) -> None:
    """Add both commands to those of `void`."""
    submit = commands.add_parser("submit", help="put saved requests on a render farm")
    submit.description = (
        "Plan each request here and submit it as one job. Submitting again resumes. A folder stands for the requests "
        "in it, also one that void otio submit made. Nothing is submitted where one of them has an error."
    )
    add = submit.add_argument
    add(
        "requests",
        nargs="+",
        metavar="REQUEST",
        help="request files, job folders, folders of requests, versions of void otio",
    )
    add("--farm", "--engine", dest="farm", metavar="NAME", help="local, slurm, deadline-cloud, opencue or deadline10")
    add("--priority", type=_at_most(100), metavar="0-100", help="place in the queue; default that of the request")
    add("--retries", type=count, default=2, metavar="N", help="how often a failed task may run again (%(default)s)")
    add("--tags", type=_names, default=(), metavar="A,B", help="kinds of workers, as the site names them")
    add("--vram", type=count, default=0, metavar="MIB", help="memory that a GPU must have; default what VOID needs")
    add("--gpus", type=count, default=0, metavar="N", help="GPUs a task; default 1 where the engine needs one")
    add("--units-per-task", type=count, default=0, metavar="N", help="units that share a task; default by their length")
    add("--dry-run", action="store_true", help="plan, check and count, and submit nothing")
    add("--wait", action="store_true", help="follow the jobs to their end; Ctrl-C cancels them")
    add("--json", action="store_true", help="print JSON, nothing else")
    farm = commands.add_parser("farm", help="how jobs on a farm stand, and what becomes of them")
    actions = farm.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, nargs, text in (
        ("status", "*", "say how jobs stand; default all that were submitted from here"),
        ("wait", "+", "follow jobs to their end; Ctrl-C leaves them alone"),
        ("logs", 1, "print what the tasks of a job wrote"),
        ("cancel", "+", "stop jobs; what is finished is kept"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument(
            "jobs",
            nargs=nargs,
            metavar="JOB",
            help="as `void submit` names it, for example slurm:1234, or the folder "
            "of its results or its version, also of somebody else's job",
        )
        action.add_argument("--json", action="store_true", help="print JSON")
        if name == "status":
            action.add_argument("--all", action="store_true", help="without JOB: not only the newest of each farm")
    doctor = actions.add_parser("doctor", help="what of a farm is here, and what is not")
    doctor.add_argument("farms", nargs="*", metavar="FARM", help="default all that are known")
    doctor.add_argument("--json", action="store_true", help="print JSON")


def count(text: str) -> int:
    """Read a number that is not negative."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is negative")
    return number


def _at_most(limit: int) -> Any:
    def read(text: str) -> int:
        number = count(text)
        if number > limit:
            raise argparse.ArgumentTypeError(f"{number} is above {limit}")
        return number

    return read


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
