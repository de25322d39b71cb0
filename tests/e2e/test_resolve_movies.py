"""A clip whose media is a movie: its plate is decoded by the sidecar, and Resolve renders nothing for it."""

from __future__ import annotations

import os
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.resolve import Bench, Knobs, difference, void
from reels import Planes, write_movie
from resolveruns import FIRST, FRAMES, LEFT, LENGTH, SIZE, Moving, Runs, same_far_away
from servers import Server

from void_plugin.editorial import exrfiles
from void_plugin.editorial.movieframes import decode
from void_plugin.editorial.moviepixels import to_frame
from void_plugin.editorial.movies import open_movie


class Filmed(Moving):
    """The same scene, whose plate is a ProRes movie and whose matte is numbered as its frames."""

    def __init__(self, folder: Path, turn: int = 0) -> None:
        """`turn` is by how many degrees players turn the movie against the clock."""
        super().__init__(folder)
        self.movie = folder / "media" / "sh010.mov"
        pixels = self.plate["path"]
        write_movie(
            self.movie, "prores_ks", "yuv444p10le", FRAMES, size=SIZE, rate=Fraction(24),
            options={"profile": "4444"}, picture=self._picture,
            prepare=lambda stream: stream.set_display_rotation(turn),
        )  # fmt: skip
        self.plate.update(kind="movie", path=str(self.movie), pixels=pixels, name="sh010.mov")
        (folder / "mattes").mkdir()
        self.mattes = f"{folder}/mattes/m.%04d.exr"
        for number in range(1, FRAMES + 1):
            shutil.copy(self.matte["path"] % (FIRST + number - 1), self.mattes % number)

    def _picture(self, layout: str, size: tuple[int, int], number: int) -> Planes:
        linear, _ = exrfiles.read(self.plate["path"] % (FIRST + number - 1))
        frame, _ = to_frame(np.clip(linear, 0, 1) ** np.float32(1 / 2.4), layout, 1)
        return [np.frombuffer(plane, np.uint16).reshape(plane.height, -1)[:, : plane.width] for plane in frame.planes]


@pytest.fixture
def runs(tmp_path: Path, void_python: str, lasting: Server) -> Runs:
    return Runs(tmp_path, void_python, lasting)


def results(bench: Bench) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The items on the track VOID with their media."""
    state = bench.state()["project"]
    tracks = state["timelines"][0]["tracks"]["video"]
    return [(item, state["clips"][item["media"]]) for one in tracks if one["name"] == "VOID" for item in one["items"]]


def test_the_frames_of_a_movie_are_its_plate_with_handles_and_the_result_gets_the_clips_grade(
    tmp_path: Path, runs: Runs
) -> None:
    filmed = Filmed(tmp_path)
    filmed.item["grade"] = {"gain": 2.0}
    bench = Bench(filmed.scene.data, Knobs())
    before = bench.state()
    (row,) = runs("remove", bench, matte=filmed.mattes, handles=1, place=True)["rows"]
    assert row["state"] == "placed" and row["plate"] == str(filmed.movie), row
    assert row["frames"] == f"{LEFT}-{LEFT + LENGTH + 1}"
    assert bench.called("Project.AddRenderJob") == []
    ((item, clip),) = results(bench)
    assert (item["start"], item["duration"], item["grade"]) == (filmed.start, LENGTH, {"gain": 2.0})
    assert clip["first"] + item["offset"] == LEFT + 1 and clip["properties"]["Data Level"] == "Full"
    decoded = decode(open_movie(str(filmed.movie)), range(1, FRAMES + 1), tmp_path / "decoded", lambda text: None)
    for number in range(LEFT, LEFT + LENGTH + 2):
        assert same_far_away(*(Path(one % number) for one in (decoded, clip["path"], filmed.mattes)))
    assert difference(before, bench.state(), void) == []
    assert not os.path.exists(Path(row["folder"]) / "inputs")
    bench.verify()


@pytest.mark.parametrize(
    ("what", "changes", "words"),
    [
        ("count", {"last": FIRST + FRAMES}, "Resolve counts 13 frames in its movie, which has 12"),
        ("levels", {"properties": {"Data Level": "Full"}}, "data level is set to Full"),
        ("look", {"properties": {"Input LUT": "film.cube"}}, "clip attributes (Input LUT)"),
    ],
)
def test_a_movie_that_resolve_shows_otherwise_is_rendered_by_it(
    tmp_path: Path, runs: Runs, what: str, changes: dict[str, Any], words: str
) -> None:
    filmed = Filmed(tmp_path)
    filmed.plate.update(changes)
    (row,) = runs("remove", Bench(filmed.scene.data), matte=filmed.mattes, dry_run=True)["rows"]
    assert row["plate"] == "rendered by Resolve" and any(words in text for text in row["warnings"]), row


def test_a_movie_that_players_turn_is_rendered_as_resolve_shows_it(tmp_path: Path, runs: Runs) -> None:
    filmed = Filmed(tmp_path, turn=180)
    (row,) = runs("remove", Bench(filmed.scene.data), matte=filmed.mattes, dry_run=True)["rows"]
    assert row["plate"] == "rendered by Resolve", row
    assert any("players turn its movie by 180 degrees" in text for text in row["warnings"]), row


def test_a_round_trip_of_a_movie_measures_what_two_decoders_make_of_it(tmp_path: Path, runs: Runs) -> None:
    filmed = Filmed(tmp_path)
    bench = Bench(filmed.scene.data)
    before = bench.state()
    result = runs("check", bench)
    assert result["rows"][0]["state"] in ("passed", "failed") and 0 < result["largest"] < 1, result
    assert [path.name for path in Path(result["rows"][0]["folder"]).iterdir()] == ["report.json"]
    assert difference(before, bench.state(), void) == []
    bench.verify()
