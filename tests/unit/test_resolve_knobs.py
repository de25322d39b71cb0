"""Every fault that the fake Resolve knows, in a whole removal: what is the user's is as it was, whatever came of it."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from fakes.resolve import Bench, Knobs, difference
from resolveshows import Show, as_it_was

from void_plugin.errors import HostError

FAULTS: dict[str, Any] = {
    "end_inclusive": True,
    "append_drops_on_overlap": False,
    "append_returns_ghost": True,
    "append_refuses": True,
    "append_shift": 1,
    "append_moves_playhead": True,
    "frames_from_file": True,
    "take_selects": True,
    "exr_never_complete": True,
    "delete_job_ignored": True,
    "settings_inherit_audio_only": True,
    "frames_per_poll": 0,
    "render_fails_at": 86400,
    "render_cancelled_at": 86400,
    "render_deleted_at": 86400,
    "render_opens_deliver": True,
    "render_skips": [86400],
    "render_truncates": [86400],
    "render_black": True,
    "render_size": [8, 8],
    "record_digits": 4,
    "preset_forgets_codec": True,
    "comp_moves_time": True,
    "comp_skips": [0],
    "comp_size": [8, 8],
    "source_start_slip": True,
    "source_end_inclusive": True,
    "source_unknown": True,
    "marks_absolute": True,
    "otio_absolute_markers": True,
    "rate_as_number": True,
    "set_property_true_not_stored": ["Reel Name", "Clip Color", "FPS", "Data Level", "Pan", "Clip"],
    "delete_needs_edit_page": False,
    "delete_flaky_once": True,
    "enable_needs_edit_page": True,
    "import_individual_frames": True,
    "import_fps": 30.0,
    "import_data_level": "Video",
    "modal_blocks": True,
    "external": False,
    "external_address": "10.0.0.7",
    "menu_names": ["bmd"],
    "raises_at": 50,
    "raises_midway": {"Project.AddRenderJob": 2},
    "raises_after": True,
    "refuses": {"Project.StartRendering": 1},
    "lies": {"Project.DeleteRenderPreset": 1},
}
STOPS = {
    *("append_refuses", "append_shift", "import_individual_frames", "modal_blocks", "raises_at", "raises_midway"),
    *("refuses", "set_property_true_not_stored"),
}
"""Those that stop a removal; with all others it goes on to its end, and files or a warning tell."""


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Show:
    return Show(tmp_path_factory.mktemp("show"))


def test_no_fault_is_forgotten() -> None:
    assert set(FAULTS) == {field.name for field in dataclasses.fields(Knobs)}


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_is_wrong_with_resolve_all_of_the_users_is_as_it_was(show: Show, fault: str) -> None:
    bench = Bench(show.scene.data, Knobs(**{fault: copy.deepcopy(FAULTS[fault])}))
    before = bench.state()
    host = show.host(bench, fault)
    error = ""
    try:
        show.remove(host)
    except HostError as raised:
        error = raised.message
    assert bool(error) is (fault in STOPS), error
    if error:
        assert any(f"{kind}." in error for kind in bench.table["classes"]) and ";" in error, error
    bench.knobs.modal_blocks = False
    host.answer("leftovers", {})
    as_it_was(before, bench)
    assert host.answer("clean", {})["left"] == []
    assert difference(before, bench.state()) == []
