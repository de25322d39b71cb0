"""Which functions does the time of a job go to?

    python benchmarks/profiles.py [--quick] [--what plan,patch,comp,recover,raster] [--folder DIR] [--json FILE]
                                  [--results FILE]

py-spy (0.4; not installed with the tests) samples `void-server task` 200 times a second, one worker, readers apart, on
the shot of compose.py. `plan` plans; `patch` and `comp` are the engine `identity`, whose time is all around an engine;
`recover` is that engine, and `raster` stitches what came back from VOID's raster. A row is a function of ours with what
it called elsewhere (numpy, OpenCV), as a share of the samples of the step; `_Child.ask` waits for the reader. The
profiles themselves stay in --folder as `NAME.raw`, one line a stack, which speedscope and flame graph tools open.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benching import programs
from benching.command import answer, build_parser
from benching.tables import Table
from composing.shot import SIZE, request_for, write_shot

RATE = 200
"""Samples a second."""
ROWS = 12
OURS = "void_server/"


@dataclass(frozen=True)
class Step:
    """What is profiled: some steps of a job, after others have run."""

    engine: str
    kind: str
    before: tuple[str, ...]
    watched: str


STEPS = {
    "plan": Step("identity", "patch", (), "plan"),
    "patch": Step("identity", "patch", ("plan",), "all"),
    "comp": Step("identity", "comp", ("plan",), "all"),
    "recover": Step("recover", "patch", ("plan",), "solve"),
    "raster": Step("identity-raster", "patch", ("plan", "solve"), "compose"),
}


def measure(options: argparse.Namespace) -> Iterator[Table]:
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None:
        raise SystemExit("py-spy is not installed: pip install py-spy")
    count = 4 if options.quick else 24
    with tempfile.TemporaryDirectory(prefix="void-bench-", dir=options.folder) as name:
        folder = Path(name)
        write_shot(folder, count)
        for what in options.what.split(","):
            profile = (options.folder or folder) / f"{what}.raw"
            record(STEPS[what], folder / what, folder, count, profile, spy)
            yield table_of(what, profile, count)


def record(step: Step, out: Path, folder: Path, count: int, profile: Path, spy: str) -> None:
    """Run what comes before, then the step under the profiler."""
    out.mkdir()
    request = out / "request.json"
    request.write_text(request_for(folder, step.kind, count, step.engine).to_json())

    def task(name: str) -> list[str]:
        return programs.void_server("task", name, str(request), "--workers", "1")

    for name in step.before:
        programs.time(task(name), programs.environment(out))
    watched = [spy, "record", "--rate", str(RATE), "--format", "raw", "--output", str(profile), "--function", "--"]
    programs.time([*watched, *task(step.watched)], programs.environment(out))
    if not profile.exists() or not profile.stat().st_size:
        raise SystemExit(f"py-spy has written nothing to {profile}: it needs leave to trace (kernel.yama.ptrace_scope)")


def table_of(what: str, profile: Path, count: int) -> Table:
    """The functions that most samples are in."""
    found = shares(profile.read_text(encoding="utf-8").splitlines())
    title = f"Where the time of `{what}` goes, {count} frames of {SIZE[1]}x{SIZE[0]}"
    table = Table(f"profiles.{what}", title, ("function", "of the samples"))
    for (ours, theirs), samples in found.most_common(ROWS):
        table.add(f"{ours}{f' > {theirs}' if theirs else ''}", f"{samples / found.total():.0%}")
    table.notes.append(f"{found.total()} samples at {RATE} a second.")
    return table


def shares(lines: Sequence[str]) -> Counter[tuple[str, str]]:
    """Samples by the innermost function of ours and what it was in elsewhere; imports and waiting are left out.

    A line is a stack from the outermost to the innermost function, separated by semicolons, and its samples.
    """
    found: Counter[tuple[str, str]] = Counter()
    for line in lines:
        stack, _, samples = line.rpartition(" ")
        frames = stack.split(";")
        inner = [frame for frame in frames if OURS in frame]
        if inner and not any("importlib" in frame or frame.startswith("Condition.wait") for frame in frames):
            elsewhere = frames[-1] if frames[-1] != inner[-1] else ""
            found[inner[-1].replace(OURS, ""), elsewhere] += int(samples)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, rounds=1)
    parser.add_argument("--what", default=",".join(STEPS), help="some of %(default)s")
    return answer(parser, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
