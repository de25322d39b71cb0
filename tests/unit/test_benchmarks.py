"""benchmarks/benching: figures, tables and RESULTS.md; and every script has the same flags."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))

from benching import command, results  # noqa: E402
from benching.figures import Figure, exponent, growth, in_turn, short  # noqa: E402
from benching.machine import about, tree, tree_bytes  # noqa: E402
from benching.tables import Table, Verdict, merged  # noqa: E402

SCRIPTS = sorted(path.name for path in (ROOT / "benchmarks").glob("*.py") if path.name != "__main__.py")
FLAGS = ("--quick", "--rounds", "--json", "--results", "--folder", "--strict")
ABOUT = {"machine": "a box", "commit": "abc"}


def table_of(name: str, value: float = 2.0) -> Table:
    table = Table(name, f"About {name}", ("what", "ms", "ratio"))
    table.add("ours", Figure((value, 2 * value, 3 * value)), 1.5)
    return table


# -- figures ------------------------------------------------------------------------------------------------------


@given(power=st.floats(-2, 3), factor=st.floats(0.01, 100))
def test_the_exponent_of_a_power_law_is_found(power: float, factor: float) -> None:
    sizes = [24.0, 96.0, 384.0]
    assert exponent(sizes, [factor * size**power for size in sizes]) == pytest.approx(power, abs=1e-9)


def test_the_exponent_is_fitted_to_each_round_by_itself() -> None:
    found = growth([1, 10, 100], [Figure((1.0, 5.0)), Figure((10.0, 5.0)), Figure((100.0, 5.0))])
    assert found.values == pytest.approx((1.0, 0.0), abs=1e-9)


def test_a_ratio_is_that_of_each_round_so_that_a_slow_round_slows_both() -> None:
    ours, alone = Figure((2.0, 20.0, 4.0)), Figure((1.0, 10.0, 2.0))
    assert ours.over(alone).values == (2.0, 2.0, 2.0)
    assert ours.plus(alone).values == (3.0, 30.0, 6.0)
    with pytest.raises(ValueError):
        ours.over(Figure((1.0,)))


def test_a_figure_shows_its_middle_and_its_spread() -> None:
    assert str(Figure((3.0, 1.0, 2.0))) == "2.00 (1.00–3.00)"
    assert str(Figure((1234.5,))) == "1,234"
    assert [short(value) for value in (0.0, 0.0123, 0.5, 12.34, 123.4, float("nan"))] == [
        "0.00", "0.0123", "0.50", "12.3", "123", "–",
    ]  # fmt: skip


def test_every_way_runs_once_a_round_and_the_order_turns_round() -> None:
    order: list[str] = []

    def way(name: str, cost: float) -> float:
        order.append(name)
        return cost

    found = in_turn({"a": lambda: way("a", 1.0), "b": lambda: way("b", 2.0)}, 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert found == {"a": Figure((1.0,) * 3), "b": Figure((2.0,) * 3)}


# -- tables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("least", "held"), [(False, True), (True, False)])
def test_a_verdict_goes_by_the_middle(least: bool, held: bool) -> None:
    verdict = Verdict("speed", Figure((1.0, 1.4, 9.0)), limit=1.5, goal=1.5, least=least)
    assert verdict.held is held
    assert ("held" in str(verdict)) is held and ("is met" in str(verdict)) is held


def test_a_row_of_another_length_than_its_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="3 columns"):
        table_of("one").add("too", "short")


def test_json_has_every_round_and_no_infinity() -> None:
    table = table_of("one")
    table.add("endless", float("inf"), float("nan"))
    text = json.dumps(table.record(), allow_nan=False)
    assert json.loads(text)["rows"][0] == {"what": "ours", "ms": [2.0, 4.0, 6.0], "ratio": 1.5}


def test_markdown_is_one_table_with_as_many_cells_in_every_line() -> None:
    lines = [line for line in table_of("one").markdown().splitlines() if line.startswith("|")]
    assert len(lines) == 3 and {line.count("|") for line in lines} == {4}


# -- RESULTS.md ---------------------------------------------------------------------------------------------------


def test_a_table_replaces_the_one_of_its_name_and_leaves_the_others_to_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    for name in ("exr", "jobs.many", "jobs"):
        results.put(path, table_of(name), f"python benchmarks/{name}.py", ABOUT)
    before = path.read_text()
    results.put(path, table_of("jobs", 50.0), "python benchmarks/jobs.py --rounds 9", ABOUT)
    after = path.read_text()
    assert "--rounds 9" in after and "100 (50.0–150)" in after
    old, new = (results.section(table_of("jobs", value), line, ABOUT) for value, line in (
        (2.0, "python benchmarks/jobs.py"), (50.0, "python benchmarks/jobs.py --rounds 9"),
    ))  # fmt: skip
    assert after == before.replace(old, new)
    assert [path.name for path in tmp_path.iterdir()] == ["RESULTS.md"]


def test_the_command_that_repeats_a_table_has_only_what_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks/exr.py"])
    told = ["--json", "a.json", "--rounds", "3", "--results=b.md", "--folder", "/tmp", "--quick"]
    assert command.repeated(told) == "python benchmarks/exr.py --rounds 3 --quick"


def test_a_run_tells_prints_and_keeps_its_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def measure(options: object) -> Iterator[Table]:
        table = table_of("one")
        table.verdicts.append(Verdict("ratio", Figure((2.0,)), 1.0))
        yield table

    json_file, results_file = tmp_path / "a.json", tmp_path / "b.md"
    arguments = ["--json", str(json_file), "--results", str(results_file)]
    parser = command.build_parser("What?", rounds=5)
    assert command.answer(parser, measure, arguments) == 0
    assert command.answer(parser, measure, [*arguments, "--strict"]) == 1
    record = json.loads(json_file.read_text())
    assert record["tables"][0]["verdicts"][0]["held"] is False and record["about"]["commit"]
    assert "MISSED" in results_file.read_text() and "MISSED" in capsys.readouterr().out
    # What is measured in seconds on small things says nothing about a limit.
    assert command.answer(parser, measure, ["--quick", "--strict"]) == 0


# -- the machine and the scripts ----------------------------------------------------------------------------------


def test_memory_is_that_of_a_process_and_of_what_descends_from_it() -> None:
    inner = "import sys; held = bytearray(32 << 20); print(flush=True); sys.stdin.read()"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    with subprocess.Popen([sys.executable, "-c", outer], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdout.readline()
        assert len(list(tree(child.pid))) == 2
        assert tree_bytes(child.pid) > 32 << 20
        child.stdin.close()


def test_runs_are_merged_round_by_round_and_judged_together() -> None:
    def record(values: tuple[float, ...], gib: float) -> dict[str, Any]:
        table = Table("of", "What", ("way", "ratio", "GiB"), notes=["2 rounds."])
        table.add("ours", Figure(values), gib)
        table.verdicts.append(Verdict("ours over theirs", Figure(values), 1.5, 1.3))
        return table.record()

    one, two = record((1.0, 1.2), 3.0), record((1.4, 1.8), 4.0)
    both = merged([one, two])
    assert both.rows == [("ours", Figure((1.0, 1.2, 1.4, 1.8)), 4.0)]
    (verdict,) = both.verdicts
    assert verdict.held and verdict.figure.middle == pytest.approx(1.3) and verdict.goal == 1.3
    assert both.notes == ["2 rounds.", "All of that in each of 2 runs, minutes apart."]
    assert merged([one]).record() == one
    two["rows"][0]["way"] = "theirs"
    assert merged([one, two]).rows == [("theirs", Figure((1.4, 1.8)), 4.0)]


def test_the_machine_is_named_with_its_commit_and_versions() -> None:
    found = about(["numpy", "no-such-package"])
    assert {"machine", "commit", "Python", "numpy"} <= found.keys() and "no-such-package" not in found


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_has_the_same_flags(script: str) -> None:
    path = ROOT / "benchmarks" / script
    done = subprocess.run([sys.executable, str(path), "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(flag in done.stdout for flag in FLAGS)
    assert done.stdout.count("?") >= 1, "its first line is the question it answers"
    assert f"python benchmarks/{script}" in done.stdout


def test_make_bench_runs_scripts_that_are_there_and_every_script_is_run() -> None:
    listing = subprocess.run(
        [sys.executable, "-c", "import runpy, json; m = runpy.run_path('benchmarks'); "
         "print(json.dumps([*m['SHORT'], *m['LONG']]))"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    named = {line.split()[0] for line in json.loads(listing.stdout)}
    # That of the GPU needs one, and has limits of its own to run in.
    assert named == set(SCRIPTS) - {"gpu_void.py"}


# -- profiles -----------------------------------------------------------------------------------------------------


def test_a_profile_is_shared_out_by_our_innermost_function_without_imports_and_waiting() -> None:
    import profiles

    found = profiles.shares(
        [
            "run (threading.py:1);solve (void_server/solve.py:9);weights (void_server/quadmask.py:5) 3",
            "run (threading.py:1);weights (void_server/quadmask.py:5);clip (numpy/core.py:7) 2",
            "run (void_server/render.py:1);Condition.wait (threading.py:5) 50",
            "main (void_server/cli.py:1);_load (importlib/_bootstrap.py:5) 50",
            "spin (elsewhere.py:1) 50",
        ]
    )
    assert found == {("weights (quadmask.py:5)", ""): 3, ("weights (quadmask.py:5)", "clip (numpy/core.py:7)"): 2}
