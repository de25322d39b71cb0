"""Bad input gets one clear sentence with frame and path, exit code 1, and leaves nothing half-written."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from shots import Shot, load_exr, run_in_process, save_exr

from void_plugin.errors import FrameError, RequestError, ServerError, VoidError
from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings


def refused(request: RemovalRequest, error: type[VoidError] = VoidError) -> str:
    """The sentence of a job that must not run; nothing may have been delivered."""
    with pytest.raises(error) as caught:
        run_in_process(request)
    for output in request.outputs:
        folder = Path(request.output_sequence(output).folder)
        assert not list(folder.glob("*.exr")) or folder == Path(request.sequence("plate").folder)
        assert not [path for path in folder.glob(".*") if path.name != ".void"] if folder.is_dir() else True
    return caught.value.message


def test_missing_plate_frames_are_all_named_as_ranges(shot: Shot) -> None:
    for frame in (1003, 1004, 1006):
        os.unlink(shot.plate % frame)
    message = refused(shot.request(frames=shot.frames), FrameError)
    assert "1003-1004, 1006" in message and shot.plate in message


def test_gaps_in_a_plate_without_a_range_are_named(shot: Shot) -> None:
    os.unlink(shot.plate % 1005)
    message = refused(shot.request(), FrameError)
    assert "gaps" in message and "1005" in message


def test_a_range_beside_a_gap_still_works(shot: Shot) -> None:
    os.unlink(shot.plate % 1005)
    run_in_process(shot.request(frames=FrameRange(1001, 1003)))
    assert len(list((shot.folder / "out").glob("*.exr"))) == 3


def test_a_plate_that_does_not_exist_says_so(shot: Shot) -> None:
    message = refused(shot.request(plate=ImageInput(str(shot.folder / "nothing.%04d.exr"))), FrameError)
    assert "nothing.%04d.exr" in message


def test_a_matte_of_another_range_lists_what_is_missing(shot: Shot) -> None:
    for frame in (1007, 1008):
        os.unlink(shot.matte % frame)
    message = refused(shot.request(), FrameError)
    assert "object matte" in message and "1007-1008" in message


def test_a_matte_of_another_size_names_both_sizes(shot: Shot) -> None:
    save_exr(Path(shot.matte % 1002), np.ones((50, 60), np.float16), ["A"])
    message = refused(shot.request(), RequestError)
    assert "60x50" in message and "192x108" in message and "1002" in message


def test_a_matte_empty_on_the_whole_range_is_refused(shot: Shot) -> None:
    for frame in shot.frames:
        save_exr(Path(shot.matte % frame), np.zeros(shot.size, np.float16), ["A"])
    message = refused(shot.request(shot="sh010"), RequestError)
    assert "sh010" in message and "empty" in message and "1001-1008" in message


def test_deep_and_subsampled_plates_are_refused_by_name(tmp_path: Path, data: Path) -> None:
    for name, word in (("Trunks_deep", "deep"), ("Flowers_yc", "subsampled")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "plate.0001.exr").write_bytes((data / f"exr/reject/{name}.exr").read_bytes())
        save_exr(folder / "matte.0001.exr", np.ones((8, 8), np.float16), ["A"])
        request = RemovalRequest(
            plate=ImageInput(str(folder / "plate.%04d.exr")),
            object_matte=ImageInput(str(folder / "matte.%04d.exr")),
            outputs=(Output("patch", str(folder / "out/p.%04d.exr")),),
        )
        message = refused(request, FrameError)
        assert word in message and "Frame 1 " in message and str(folder / "plate.0001.exr") in message


def test_a_truncated_frame_is_named(shot: Shot) -> None:
    path = Path(shot.plate % 1004)
    path.write_bytes(path.read_bytes()[:4000])
    message = refused(shot.request(), FrameError)
    assert "Frame 1004" in message and str(path) in message and "damaged" in message


def test_a_frame_that_is_no_image_at_all_is_named_with_all_others(shot: Shot) -> None:
    for frame in (1002, 1006):
        Path(shot.plate % frame).write_bytes(b"not an image")
    message = refused(shot.request(), FrameError)
    assert "Frame 1002" in message and "Frame 1006" in message


def test_every_damaged_file_is_refused_without_crash_hang_or_gigabytes(tmp_path: Path, data: Path) -> None:
    """Through the program, as a user meets it; the children's peak memory is measured."""
    import resource

    files = sorted((data / "exr/damaged").iterdir())
    assert files
    for file in files:
        folder = tmp_path / str(files.index(file))
        folder.mkdir()
        (folder / "plate.0001.exr").write_bytes(file.read_bytes())
        save_exr(folder / "matte.0001.exr", np.ones((64, 64), np.float16), ["A"])
        request = RemovalRequest(
            plate=ImageInput(str(folder / "plate.%04d.exr")),
            object_matte=ImageInput(str(folder / "matte.%04d.exr")),
            outputs=(Output("patch", str(folder / "out/p.%04d.exr")),),
        )
        message = refused(request)
        assert str(folder) in message and "1" in message, file.name
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2 << 20, "kilobytes: 2 GB"


def test_an_unknown_channel_lists_what_exists(shot: Shot) -> None:
    message = refused(shot.request(object_matte=ImageInput(shot.matte, ("roto.A",))), RequestError)
    assert "roto.A" in message and "it has A" in message
    message = refused(shot.request(plate=ImageInput(shot.plate, ("diffuse",))), RequestError)
    assert "diffuse" in message and "R, G, B" in message


def test_an_unknown_colour_space_lists_what_exists(shot: Shot) -> None:
    message = refused(shot.request(colour="Lin709ish"), RequestError)
    assert "Lin709ish" in message and "ACEScg" in message and "ARRI LogC4" in message


def test_an_unknown_encoding_is_refused_before_work(shot: Shot) -> None:
    request = shot.request(engine="identity-raster", settings=RenderSettings(encoding="film look"))
    assert "film look" in refused(request, RequestError)


def test_an_output_that_would_overwrite_an_input_is_refused(shot: Shot) -> None:
    with pytest.raises(RequestError, match="never"):
        shot.request(outputs=(Output("comp", shot.plate),)).check()
    spelled = str(shot.folder / "." / "plate.####.exr").replace("####", "%d")
    with pytest.raises(RequestError, match="plate"):
        shot.request(outputs=(Output("comp", spelled),)).check()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_output_folder_is_refused(shot: Shot) -> None:
    locked = shot.folder / "locked"
    locked.mkdir(mode=0o500)
    assert "locked" in refused(shot.request(outputs=(Output("patch", str(locked / "p.%04d.exr")),)), ServerError)


def test_an_output_folder_that_is_a_file_is_refused(shot: Shot) -> None:
    (shot.folder / "taken").write_text("")
    request = shot.request(outputs=(Output("patch", str(shot.folder / "taken" / "p.%04d.exr")),))
    with pytest.raises(ServerError, match="taken"):
        run_in_process(request)


def test_a_full_disk_is_told_with_figures_and_leaves_nothing_half_written(shot: Shot) -> None:
    """A really full disk: a file system of 400 kB, mounted in a namespace of the test's own."""
    small = shot.folder / "small"
    small.mkdir()
    mount = ["unshare", "-rm", "sh", "-c"]
    if subprocess.run(
        [*mount, f"mount -t tmpfs -o size=400k tmpfs {small}"], capture_output=True, check=False
    ).returncode:
        pytest.skip("this machine lets nobody mount a small file system")
    request = shot.request(outputs=(Output("comp", str(small / "comp.%04d.exr")),), engine="identity")
    path = shot.folder / "request.json"
    path.write_text(request.to_json())
    script = f'''mount -t tmpfs -o size=400k tmpfs "{small}"
        "{sys.executable}" -m void_server task all "{path}"; echo "code $?"; ls -A "{small}"'''
    done = subprocess.run([*mount, script], capture_output=True, text=True, check=False)
    assert "code 75" in done.stdout, done.stderr
    assert "disk is full" in done.stderr and "MB" in done.stderr and str(small) in done.stderr
    left = done.stdout.split("code 75")[1].split()
    assert all(name == ".void" or name.startswith("comp.") for name in left), "no temporary file is left"


def test_nan_and_inf_under_the_matte_are_replaced_and_counted(shot: Shot) -> None:
    frame = 1003
    plate = load_exr(shot.plate % frame)
    pixels = np.stack([plate.planes[name] for name in "RGB"], axis=-1).copy()
    y, x = np.argwhere(shot.mattes[frame] > 0.9)[40]
    pixels[y, x] = [np.nan, np.inf, -np.inf]
    save_exr(Path(shot.plate % frame), pixels)
    ran = run_in_process(shot.request(outputs=(Output("comp", shot.out("comp")),)))
    comp = load_exr(shot.out("comp") % frame)
    assert np.isfinite([comp.planes[name][y, x] for name in "RGB"]).all()
    assert [w.frame for w in ran.warnings if w.code == "broken_pixels"] == [frame]


def test_a_nan_just_outside_the_matte_neither_spreads_nor_changes(shot: Shot) -> None:
    frame = 1003
    plate = load_exr(shot.plate % frame)
    pixels = np.stack([plate.planes[name] for name in "RGB"], axis=-1).copy()
    y, x = np.argwhere(shot.mattes[frame] > 0.5)[0]
    pixels[y - 6, x, 0] = np.uint16(0x7D55).view(np.float16)
    save_exr(Path(shot.plate % frame), pixels)
    run_in_process(shot.request(outputs=(Output("comp", shot.out("comp")),)))
    for other in shot.frames:
        comp = load_exr(shot.out("comp") % other)
        broken = np.argwhere(~np.isfinite(np.stack([comp.planes[name] for name in "RGB"], axis=-1)))
        assert [tuple(where) for where in broken] == ([(y - 6, x, 0)] if other == frame else [])
    assert load_exr(shot.out("comp") % frame).planes["R"].view(np.uint16)[y - 6, x] == 0x7D55


def test_a_one_frame_range_works(shot: Shot) -> None:
    run_in_process(shot.request(frames=FrameRange(1004, 1004), shot_range=FrameRange(1004, 1004)))
    assert [path.name for path in sorted((shot.folder / "out").glob("*.exr"))] == ["result.1004.exr"]


def test_a_still_without_a_frame_number_works(tmp_path: Path, shot: Shot) -> None:
    os.rename(shot.plate % 1001, tmp_path / "still.exr")
    os.rename(shot.matte % 1001, tmp_path / "matte.exr")
    run_in_process(
        RemovalRequest(
            plate=ImageInput(str(tmp_path / "still.exr")),
            object_matte=ImageInput(str(tmp_path / "matte.exr")),
            outputs=(Output("patch", str(tmp_path / "out/still_clean.exr")),),
        )
    )
    assert load_exr(tmp_path / "out/still_clean.exr").planes["A"].max() == 1


def test_an_integer_channel_beside_half_is_refused_for_a_comp_and_fine_for_a_patch(shot: Shot) -> None:
    for frame in shot.frames:
        plate = load_exr(shot.plate % frame)
        pixels = np.stack([*(plate.planes[name].astype(np.float32) for name in "RGB"), np.zeros(shot.size)], axis=-1)
        save_exr(
            Path(shot.plate % frame), pixels.astype(np.float32), ["R", "G", "B", "id"], kinds=["half"] * 3 + ["uint"]
        )
    request = shot.request(outputs=(Output("comp", shot.out("comp")),))
    assert "--output patch" in refused(request, FrameError)
    run_in_process(shot.request())


def test_a_format_change_inside_the_shot_is_refused(shot: Shot) -> None:
    save_exr(Path(shot.plate % 1006), np.ones((90, 160, 3), np.float16))
    save_exr(Path(shot.matte % 1006), np.ones((90, 160), np.float16), ["A"])
    assert "1006" in refused(shot.request(), RequestError)


def test_the_command_prints_one_sentence_and_exits_with_one(shot: Shot) -> None:
    os.unlink(shot.plate % 1005)
    command = [sys.executable, "-m", "void_plugin.cli", "remove", "--plate", shot.plate, "--matte", shot.matte]
    done = subprocess.run([*command, "--out", shot.out()], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "1005" in done.stderr and "Traceback" not in done.stderr + done.stdout


def test_an_engine_that_is_not_here_says_what_to_use(shot: Shot) -> None:
    assert "recover" in refused(replace(shot.request(), engine="void"))
    assert "nonsense" in refused(replace(shot.request(), engine="nonsense"))
