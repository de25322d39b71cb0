"""Where plate and matte of a clip on a timeline come from, and how their numbers are brought together."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from livehosts import CONTEXT, FIRST, LENGTH, START, files, shot

from void_plugin.editorial.notes import Note
from void_plugin.editorial.sights import Sight
from void_plugin.errors import RequestError
from void_plugin.frames import FrameRange
from void_plugin.live.choices import Choices
from void_plugin.live.films import Films
from void_plugin.live.mattes import Mattes, fitted, mattes_of, renumbered, sequence_of
from void_plugin.live.plans import output_of
from void_plugin.live.routes import FILES, RENDER, Plate, plate_of, warnings_of
from void_plugin.live.timelinefacts import Context, folder_name, shots_of

SHOWN = FrameRange(FIRST + 4, FIRST + 4 + LENGTH - 1)
RECORD = FrameRange(START, START + LENGTH - 1)


@pytest.fixture
def pattern(tmp_path: Path) -> str:
    return files(tmp_path / "media" / "sh010", "sh010", range(FIRST, FIRST + 24))


def plate(pattern: str, sight: Sight | None = None, handles: int = 2, context: int = 3, **changes: Any) -> Plate:
    choices = Choices(plate=changes.pop("plate", "auto"), context=context)
    return plate_of(shot(pattern, **changes), sight, Context.of(CONTEXT), choices, handles, Films())


# -- plates --------------------------------------------------------------------------------------------------------


def test_the_files_of_a_clip_at_full_speed_are_its_plate_with_handles_and_context(pattern: str) -> None:
    found = plate(pattern)
    assert (found.route, found.pattern, found.used) == (FILES, pattern, SHOWN)
    assert (str(found.delivered), str(found.looked_at)) == ("1003-1012", "1001-1015")


def test_handles_end_where_the_media_end_and_it_is_said(pattern: str) -> None:
    found = plate(pattern, handles=6)
    assert str(found.delivered) == "1001-1016"
    assert list(warnings_of(shot(pattern), None, found, 6)) == [
        "There are fewer handles than asked for: 2 frames missing before, 0 after."
    ]


def test_all_of_the_media_are_looked_at_where_that_is_asked_for(pattern: str) -> None:
    assert str(plate(pattern, context=-1).looked_at) == "1001-1024"


DOUBTS: dict[str, tuple[dict[str, Any], Sight | None, str]] = {
    "movie": ({"media": {"kind": "movie", "frames": 24}}, None, "cannot be read|is offline"),
    "raw": ({"media": {"kind": "movie", "frames": 24, "pattern": "/a/A001.R3D"}}, None, "raw camera data"),
    "still": ({"media": {"kind": "still"}}, None, "its media is a still"),
    "attributes": ({"media": {"altered": ["Input LUT"]}}, None, "clip attributes (Input LUT)"),
    "nothing": ({"media": {"kind": "none", "fps": None}}, None, "no media of its own"),
    "Fusion": ({"fusion": True}, None, "Fusion composition"),
    "rate": ({"media": {"fps": 25.0}}, None, "runs at 25, the timeline at 24"),
    "retimed by the host": ({"retimed": True}, None, "it is retimed"),
    "nobody knows": ({"retimed": None}, None, "nothing says whether it is retimed"),
    "retimed by OTIO": ({}, Sight(Fraction(2)), "plays at 200%"),
    "backwards": ({}, Sight(Fraction(-1)), "plays at -100%"),
    "ramp": ({}, Sight(None, "it has a speed ramp"), "speed ramp"),
    "other file": ({}, Sight(Fraction(1), first_file=FIRST + 5), "shows file 1006 first, by its trim 1005"),
    "beyond": ({"left": 20}, None, "it shows files 1021-1026, and its media has 1001-1024"),
    "no in-point": ({"left": None}, None, "nothing says which of its files it shows"),
    "asked for": ({"plate": "render"}, None, "as you asked"),
}


@pytest.mark.parametrize("case", DOUBTS)
def test_whatever_is_not_certain_is_rendered_over_the_record_range(case: str, pattern: str) -> None:
    changes, sight, why = DOUBTS[case]
    found = plate(pattern, sight, **changes)
    assert (found.route, found.pattern) == (RENDER, "")
    assert found.used == found.delivered == found.looked_at == RECORD
    assert any(words in found.why for words in why.split("|")), found.why
    (text,) = warnings_of(shot(pattern), None, found, 2)
    assert text.startswith("Resolve renders its plate: ")


def test_files_that_are_not_exr_or_not_there_are_rendered(tmp_path: Path, pattern: str) -> None:
    dpx = files(tmp_path, "scan", range(FIRST, FIRST + 24), "dpx")
    assert plate(dpx).why == "its media are not EXR"
    os.remove(pattern % (FIRST + 5))
    assert plate(pattern).why == "its files 1006 are missing"
    assert plate("/no/where/sh.%04d.exr").why == "its files cannot be seen from here"


def test_a_speed_that_otio_knows_settles_what_the_host_could_not_tell(pattern: str) -> None:
    assert plate(pattern, Sight(Fraction(1), first_file=FIRST + 4), retimed=None).route == FILES


def test_a_transition_is_warned_about(pattern: str) -> None:
    sight = Sight(Fraction(1), dissolves=(0, 4))
    assert "transition" in next(iter(warnings_of(shot(pattern), sight, plate(pattern, sight), 2)))


# -- mattes --------------------------------------------------------------------------------------------------------


def mattes(pattern: str, found: Plate, note: Note | None = None, choices: Choices | None = None, **more: Any) -> Mattes:
    return mattes_of(shot(pattern, **more), found, note or Note(), choices or Choices())


def test_the_ways_to_a_matte_are_taken_in_their_order(tmp_path: Path, pattern: str) -> None:
    found = plate(pattern)
    named = files(tmp_path / "named", "m", range(FIRST, FIRST + 24))
    rooted = files(tmp_path / "roots", "sh010", range(FIRST, FIRST + 24))
    attached = files(tmp_path / "attached", "m", range(FIRST, FIRST + 24))
    note, choices = Note(mattes=(("object_matte", named),)), Choices(matte_root=str(tmp_path / "roots"))
    all_of = {"attached_mattes": [attached % FIRST], "matte_track": 3}
    assert mattes(pattern, found, note, choices, **all_of).files == {"object_matte": named}
    assert mattes(pattern, found, None, choices, **all_of).files == {"object_matte": rooted}
    assert mattes(pattern, found, **all_of).files == {"object_matte": attached}
    assert mattes(pattern, found, matte_track=3, savers=SAVERS).track == 3
    assert mattes(pattern, found, savers=SAVERS).saver == ("Comp 2", "VOID_MATTE")
    with pytest.raises(RequestError, match=r"sh010.*note of its marker.*clip matte.*VOID MATTE.*Saver.*VOID_MATTE"):
        mattes(pattern, found, savers=SAVERS[:1])


SAVERS = [["Comp 1", "Saver1"], ["Comp 2", "VOID_MATTE"]]


def test_a_note_can_name_another_saver_and_files_beside_it(tmp_path: Path, pattern: str) -> None:
    found = plate(pattern)
    holdout = files(tmp_path / "named", "h", range(FIRST, FIRST + 24))
    note = Note(mattes=(("object_matte", "fusion: Saver1"), ("holdout_matte", holdout)))
    made = mattes(pattern, found, note, savers=SAVERS, matte_track=3)
    assert (made.saver, made.track, made.files) == (("Comp 1", "Saver1"), None, {"holdout_matte": holdout})
    assert made.rendered and fitted(found, made).delivered == SHOWN
    assert mattes(pattern, found, Note(mattes=(("object_matte", "fusion:"),)), savers=SAVERS).saver == (
        "Comp 2",
        "VOID_MATTE",
    )
    with pytest.raises(RequestError, match="no Saver Key in its Fusion compositions; there is Saver1, VOID_MATTE"):
        mattes(pattern, found, Note(mattes=(("object_matte", "fusion:Key"),)), savers=SAVERS)


def test_a_relative_matte_of_a_note_lies_beside_the_media(tmp_path: Path, pattern: str) -> None:
    beside = files(tmp_path / "media" / "sh010", "roto", range(FIRST, FIRST + 24))
    note = Note(mattes=(("object_matte", "roto.####.exr"),))
    assert mattes(pattern, plate(pattern), note).files == {"object_matte": beside}


def test_a_matte_that_is_numbered_as_the_media_serves_a_rendered_plate_too(tmp_path: Path, pattern: str) -> None:
    found = plate(pattern, plate="render")
    matte = files(tmp_path / "m", "m", range(FIRST, FIRST + 24))
    made = mattes(pattern, found, Note(mattes=(("object_matte", matte),)))
    assert made.shift == {"object_matte": START - (FIRST + 4)}
    patterns = renumbered(made, found.used, tmp_path / "inputs", lambda: None)
    for at in range(LENGTH):
        assert os.path.samefile(patterns["object_matte"] % (START + at), matte % (FIRST + 4 + at))


def test_a_matte_with_one_file_for_each_frame_may_be_numbered_from_anywhere(tmp_path: Path, pattern: str) -> None:
    matte = files(tmp_path / "m", "m", range(LENGTH))
    made = mattes(pattern, plate(pattern), Note(mattes=(("object_matte", matte),)))
    assert made.shift == {"object_matte": FIRST + 4}


def test_handles_and_context_end_where_the_matte_ends(tmp_path: Path, pattern: str) -> None:
    matte = files(tmp_path / "m", "m", range(SHOWN.first - 1, SHOWN.last + 3))
    found = plate(pattern)
    made = fitted(found, mattes(pattern, found, Note(mattes=(("object_matte", matte),))))
    assert (str(made.delivered), str(made.looked_at)) == ("1004-1012", "1004-1012")
    of_track = fitted(found, Mattes(track=3))
    assert of_track.delivered == of_track.looked_at == SHOWN


def test_a_matte_that_does_not_cover_the_clip_or_cannot_be_read_is_told(tmp_path: Path, pattern: str) -> None:
    short = files(tmp_path / "m", "m", range(FIRST, FIRST + 7))
    png = files(tmp_path / "png", "m", range(FIRST, FIRST + 24), "png")
    for matte, words in ((short, "lacks frames 1008-1010"), (png, "no EXR"), ("/no/m.####.exr", "does not exist"),
                         ("/no/still.exr", "does not exist")):  # fmt: skip
        with pytest.raises(RequestError, match=words):
            mattes(pattern, plate(pattern), Note(mattes=(("object_matte", matte),)))


def test_a_retimed_clip_has_no_use_for_a_matte_that_is_numbered_as_its_media(tmp_path: Path, pattern: str) -> None:
    matte = files(tmp_path / "m", "m", range(FIRST, FIRST + 24))
    with pytest.raises(RequestError, match="all 6 frames"):
        mattes(pattern, plate(pattern, retimed=True), Note(mattes=(("object_matte", matte),)), retimed=True)


def test_paths_of_mattes_are_read_as_editors_write_them(tmp_path: Path) -> None:
    many = files(tmp_path, "roto", range(1, 4))
    still = files(tmp_path, "still", range(7, 8))
    assert sequence_of(f"{tmp_path.as_posix()}/roto.[0001-0003].exr") == many
    assert sequence_of(many % 1) == many
    assert sequence_of(still % 7) == still % 7


# -- names and places ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clip", "name"),
    [("sh010.[1001-1048].exr", "sh010"), ("A001_C002.mov", "A001_C002"), ("Größe 1/2", "Gr_e_1_2"), ("...", "shot")],
)
def test_the_name_of_a_clip_becomes_one_of_a_folder(clip: str, name: str) -> None:
    assert folder_name(clip) == name


def test_clips_of_one_name_get_different_ones(pattern: str) -> None:
    from livehosts import shot_row

    assert [one.name for one in shots_of([shot_row(pattern, id=str(at)) for at in range(3)])] == [
        "sh010", "sh010_2", "sh010_3"
    ]  # fmt: skip


def test_results_lie_beside_the_folder_of_the_media_and_versions_stay_together(tmp_path: Path, pattern: str) -> None:
    context = Context.of(CONTEXT)
    assert output_of(shot(pattern), context, Choices()) == tmp_path / "media" / "VOID" / "Reel_3" / "sh010"
    before = {"job": "1", "folder": f"{tmp_path}/else/VOID/Reel_3/sh010/v004"}
    assert output_of(shot(pattern, void=before), context, Choices()) == tmp_path / "else/VOID/Reel_3/sh010"
    assert output_of(shot(pattern), context, Choices(output="/out")) == Path("/out/Reel_3/sh010")
    with pytest.raises(RequestError, match="--output"):
        output_of(shot(""), context, Choices())
