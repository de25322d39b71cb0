"""The same stories on a real X server: what Qt's offscreen stand-in cannot show is shown there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from foreign import is_required

ROOT = Path(__file__).parents[2]
STORIES = (
    "test_a_shot_is_opened_its_mask_seen_a_frame_tested_and_all_removed",
    "test_one_job_is_cancelled_while_the_other_ends",
    "test_the_server_makes_the_overlay_that_is_shown_of_the_painted_mattes",
    "test_strokes_of_a_panel_that_has_crashed_come_back_with_the_request",
    "test_closing_asks_before_it_throws_strokes_away",
    "test_a_refused_token_is_told_with_what_to_do",
    "test_a_preset_is_named_in_a_dialog_and_forgotten_by_a_button",
    "test_a_shot_goes_to_the_farm_and_its_version_is_shown_once_it_is_there",
    "test_shots_of_a_timeline_are_chosen_and_opened",
    "test_jobs_are_listed_found_cancelled_and_run_again",
)
FILES = ("test_panel.py", "test_panel_roads.py", "test_touchup.py", "test_monitor.py")
PROBE = "from PySide6.QtWidgets import QApplication; print(QApplication([]).platformName())"


@pytest.fixture
def screen() -> Iterator[dict[str, str]]:
    """An environment with an X server of its own. Skips the test where there is none and none is required."""
    program = shutil.which("Xvfb")
    if program is None:
        if is_required("xvfb"):
            pytest.fail("Xvfb is not installed, and VOID_REQUIRE names xvfb")
        pytest.skip("Xvfb is not installed")
    read, write = os.pipe()
    with subprocess.Popen(
        [program, "-displayfd", str(write), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"],
        pass_fds=[write], stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        os.close(write)
        with os.fdopen(read) as told:
            number = told.readline().strip()
        environment = {**os.environ, "DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}
        try:
            probe = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True)
            if probe.returncode and not is_required("xvfb"):
                pytest.skip(f"Qt cannot use X here: {probe.stderr.strip().splitlines()[:1]}")
            assert probe.stdout.strip() == "xcb", probe.stderr
            yield environment
        finally:
            server.terminate()


@pytest.mark.slow
def test_the_stories_of_panel_and_monitor_run_on_an_x_server(screen: dict[str, str], tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n0",
        "-q",
        "-p",
        "no:cacheprovider",
        "--basetemp",
        str(tmp_path / "base"),
    ]
    done = subprocess.run(
        [*command, *(str(ROOT / "tests" / "ui" / name) for name in FILES), "-k", " or ".join(STORIES)],
        env={**screen, "VOID_SCREENSHOTS": os.environ.get("VOID_SCREENSHOTS") or str(tmp_path / "seen")},
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert f"{len(STORIES)} passed" in done.stdout
