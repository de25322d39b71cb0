"""What the panel answers decides what is sent."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shots import build_shot

from void_plugin.errors import Cancelled, HostError
from void_plugin.live.lookover import looked_over
from void_plugin.live.running import Wanted

Panel = Callable[[str], list[str]]


@pytest.fixture
def panel(tmp_path: Path) -> Panel:
    """A program that takes the place of the panel; `asked` holds the shots that it was asked about."""

    def made(body: str) -> list[str]:
        script = tmp_path / "panel.py"
        head = "import json, sys, time\nasked = json.load(open(sys.argv[1]))['shots']\n"
        script.write_text(
            f"{head}requests = {{one['request']: json.load(open(one['request'])) for one in asked}}\n{body}\n"
        )
        return [sys.executable, str(script)]

    return made


def jobs(tmp_path: Path, *names: str) -> list[Wanted]:
    """Jobs that are ready to begin, each with a version folder."""
    found = []
    for name in names:
        folder = tmp_path / name / "v001"
        folder.mkdir(parents=True)
        request = build_shot(tmp_path / "shot").request(shot=name).to_dict()
        args = {"folder": folder.as_posix(), "requests": {"main": request}}
        found.append(Wanted(name, lambda desk, call: {}, args))
    return found


def ask(tmp_path: Path, wanted: list[Wanted], command: list[str], check: Callable[[], None] = lambda: None) -> Any:
    outputs = {one.shot: tmp_path / one.shot for one in wanted}
    return looked_over(wanted, outputs, "", os.environ, check, command)


def test_only_what_is_ticked_is_sent_and_as_it_was_changed(tmp_path: Path, panel: Panel) -> None:
    wanted = jobs(tmp_path, "one", "two")
    body = "send = {p: {**r, 'prompt': 'a wall'} for p, r in requests.items() if r['shot'] == 'two'}\n"
    (sent,) = ask(tmp_path, wanted, panel(body + "print(json.dumps({'send': send}))"))
    assert sent.shot == "two" and sent.args["requests"]["main"]["prompt"] == "a wall"
    assert sent.args["folder"] == wanted[1].args["folder"]
    assert not list(tmp_path.glob("*/v001/*"))  # nothing is left beside the inputs


def test_jobs_that_only_go_on_are_not_asked_about(tmp_path: Path, panel: Panel) -> None:
    again = Wanted("old", lambda desk, call: {}, {"folder": "/x", "again": True})
    assert ask(tmp_path, [again], panel("raise SystemExit(1)")) == [again]


def test_a_window_that_is_closed_is_a_cancel(tmp_path: Path, panel: Panel) -> None:
    with pytest.raises(Cancelled):
        ask(tmp_path, jobs(tmp_path, "one"), panel("sys.exit(130)"))


def test_a_panel_that_cannot_be_shown_is_told_with_its_last_words(tmp_path: Path, panel: Panel) -> None:
    with pytest.raises(HostError, match="There is no screen here"):
        ask(tmp_path, jobs(tmp_path, "one"), panel("sys.stderr.write('There is no screen here\\n'); sys.exit(1)"))


def test_a_cancel_meanwhile_ends_the_panel(tmp_path: Path, panel: Panel) -> None:
    pid = tmp_path / "pid"

    def check() -> None:
        if pid.exists() and pid.read_text():
            raise Cancelled

    body = f"import os; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(Cancelled):
        ask(tmp_path, jobs(tmp_path, "one"), panel(body), check)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_the_panel_is_told_where_tests_and_previews_may_go(tmp_path: Path, panel: Panel) -> None:
    told = tmp_path / "told.json"
    wanted = jobs(tmp_path, "one")
    ask(tmp_path, wanted, panel(f"json.dump(asked, open({str(told)!r}, 'w')); print(json.dumps({{'send': requests}}))"))
    (one,) = json.loads(told.read_text())
    assert one["output"] == (tmp_path / "one").as_posix()
