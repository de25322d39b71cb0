"""What lies outside the matte is the plate, bit for bit, whatever the file holds."""

from pathlib import Path

import numpy as np
import pytest
from shots import Shot, bits, build_shot, load_exr, merged, run_in_process, save_exr

from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings

RGB = ("R", "G", "B")


def both(shot: Shot) -> tuple[Output, Output]:
    return Output("patch", shot.out("patch")), Output("comp", shot.out("comp"))


def outside(shot: Shot, frame: int) -> np.ndarray:
    """Pixels farther than 12 px at 1920 wide (in proportion, at least 1) from the matte, measured apart."""
    import cv2

    core = (shot.mattes[frame].astype(np.float16) > 0).astype(np.uint8)
    distance = cv2.distanceTransform(1 - core, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance > max(1.0, 12 * shot.size[1] / 1920)


@pytest.mark.parametrize("engine", ["recover", "identity", "identity-raster"])
def test_patch_over_plate_and_comp_equal_the_plate_outside_the_matte(shot: Shot, engine: str) -> None:
    run_in_process(shot.request(engine=engine, outputs=both(shot)))
    for frame in shot.frames:
        plate = load_exr(shot.plate % frame)
        patch, comp = load_exr(shot.out("patch") % frame), load_exr(shot.out("comp") % frame)
        over, away = merged(patch, plate), outside(shot, frame)
        for name in RGB:
            assert (bits(over[name]) == bits(plate.planes[name]))[away].all()
            assert (bits(comp.planes[name]) == bits(plate.planes[name]))[away].all()


def test_patch_over_plate_gives_the_comp(shot: Shot) -> None:
    run_in_process(shot.request(outputs=both(shot)))
    frame = shot.frames.first + 3
    over = merged(load_exr(shot.out("patch") % frame), load_exr(shot.plate % frame))
    comp = load_exr(shot.out("comp") % frame)
    for name in RGB:
        assert (bits(over[name]) == bits(comp.planes[name])).all()


def test_the_object_is_gone(shot: Shot) -> None:
    run_in_process(shot.request(outputs=both(shot)))
    for frame in shot.frames:
        comp = load_exr(shot.out("comp") % frame)
        inside = shot.mattes[frame] > 0.5
        picture = np.stack([comp.planes[name] for name in RGB], axis=-1).astype(np.float32)
        assert np.abs(picture - shot.truth[frame])[inside].mean() < 0.01


def test_identity_leaves_every_bit_even_under_the_matte(shot: Shot) -> None:
    run_in_process(shot.request(engine="identity", outputs=both(shot)))
    frame = shot.frames.first
    plate, comp = load_exr(shot.plate % frame), load_exr(shot.out("comp") % frame)
    inside = shot.mattes[frame] > 0.99
    for name in RGB:
        assert (bits(comp.planes[name]) == bits(plate.planes[name]))[inside].all()


def test_a_patch_is_transparent_by_arithmetic_where_alpha_is_zero(shot: Shot) -> None:
    """No host tests alpha: its sum must give back every finite code, -0.0 included."""
    run_in_process(shot.request())
    patch = load_exr(shot.out() % shot.frames.first)
    clear = patch.planes["A"] == 0
    assert clear.any()
    for name in RGB:
        assert (bits(patch.planes[name])[clear] == 0x8000).all()
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    summed = (np.float32(-0.0) + finite.astype(np.float32) * np.float32(1)).astype(np.float16)
    assert (bits(summed) == bits(finite)).all()


def test_nothing_changes_under_the_holdout_matte(shot: Shot) -> None:
    half = np.zeros(shot.size, np.float16)
    half[:, : shot.size[1] // 2] = 0.004
    for frame in shot.frames:
        save_exr(shot.folder / f"holdout.{frame}.exr", half, ["A"])
    run_in_process(shot.request(holdout_matte=ImageInput(str(shot.folder / "holdout.%04d.exr")), outputs=both(shot)))
    changed = 0
    for frame in shot.frames:
        plate, comp = load_exr(shot.plate % frame), load_exr(shot.out("comp") % frame)
        for name in RGB:
            same = bits(comp.planes[name]) == bits(plate.planes[name])
            assert same[half > 0].all()
            changed += int((~same).sum())
    assert changed, "the other half must have been worked on"


def test_a_matte_that_touches_the_frame_edge_works(tmp_path: Path) -> None:
    shot = build_shot(tmp_path / "edge", count=6)
    for frame in shot.frames:
        matte = np.zeros(shot.size, np.float16)
        x = (frame - 1001) * 25
        matte[:30, x : x + 40] = 1
        shot.mattes[frame] = matte.astype(np.float32)
        save_exr(shot.folder / f"object_matte.{frame}.exr", matte, ["A"])
    run_in_process(shot.request(outputs=both(shot)))
    for frame in shot.frames:
        plate, comp = load_exr(shot.plate % frame), load_exr(shot.out("comp") % frame)
        for name in RGB:
            assert (bits(comp.planes[name]) == bits(plate.planes[name]))[outside(shot, frame)].all()


def test_a_frame_without_matte_gives_a_one_pixel_patch_and_the_plate_as_comp(shot: Shot) -> None:
    frame = shot.frames.first + 2
    save_exr(shot.folder / f"object_matte.{frame}.exr", np.zeros(shot.size, np.float16), ["A"])
    ran = run_in_process(shot.request(outputs=both(shot)))
    patch, plate = load_exr(shot.out("patch") % frame), load_exr(shot.plate % frame)
    assert patch.planes["A"].shape == (1, 1) and patch.planes["A"][0, 0] == 0
    assert patch.display == plate.display
    comp = load_exr(shot.out("comp") % frame)
    assert all((bits(comp.planes[name]) == bits(plate.planes[name])).all() for name in RGB)
    assert any(warning.code == "matte_empty" and str(frame) in warning.text for warning in ran.warnings)


def one_frame(
    folder: Path, source: Path, matte: np.ndarray, origin: tuple[int, int], display: object
) -> RemovalRequest:
    """A one-frame job on a real file, its matte on windows of its own."""
    save_exr(folder / "matte.0001.exr", matte.astype(np.float16), ["A"], origin=origin, display=display)  # type: ignore[arg-type]
    (folder / "plate.0001.exr").write_bytes(source.read_bytes())
    return RemovalRequest(
        plate=ImageInput(str(folder / "plate.%04d.exr")),
        object_matte=ImageInput(str(folder / "matte.%04d.exr")),
        outputs=(
            Output("patch", str(folder / "out" / "patch.%04d.exr")),
            Output("comp", str(folder / "out" / "comp.%04d.exr")),
        ),
        frames=FrameRange(1, 1),
        engine="recover",
    )


def check_one_frame(folder: Path, reach: int) -> None:
    plate = load_exr(folder / "plate.0001.exr")
    matte = load_exr(folder / "matte.0001.exr")
    comp, patch = load_exr(folder / "out/comp.0001.exr"), load_exr(folder / "out/patch.0001.exr")
    assert (comp.data, comp.display, patch.display) == (plate.data, plate.display, plate.display)
    for name in ("PixelAspectRatio", "chromaticities", "smpte:TimeCode", "screenWindowCenter", "screenWindowWidth"):
        if name in plate.attributes:
            assert comp.attributes[name] == plate.attributes[name] == patch.attributes[name]
    near = matte.over(plate.data, "A") > 0
    rows, columns = np.nonzero(near)
    away = np.ones(near.shape, bool)
    if rows.size:
        away[
            max(0, rows.min() - reach) : rows.max() + reach + 1,
            max(0, columns.min() - reach) : columns.max() + reach + 1,
        ] = False
    over = merged(patch, plate)
    for name in plate.planes:
        assert (bits(comp.planes[name]) == bits(plate.planes[name]))[away].all()
        if name in RGB:
            assert (bits(over[name]) == bits(plate.planes[name]))[away].all()
    assert not all((bits(comp.planes[name]) == bits(plate.planes[name])).all() for name in RGB)


def test_all_half_codes_survive_beside_a_matte(tmp_path: Path, data: Path) -> None:
    source = data / "exr/test_images/AllHalfValues.exr"
    matte = np.zeros((256, 256))
    matte[100:120, 100:120] = 1
    run_in_process(one_frame(tmp_path, source, matte, (0, 0), None))
    check_one_frame(tmp_path, 2)


@pytest.mark.parametrize("number", range(1, 17))
def test_display_window_files_keep_windows_metadata_and_pixels(tmp_path: Path, data: Path, number: int) -> None:
    source = data / f"exr/display_window/t{number:02d}.exr"
    plate = load_exr(source)
    matte = np.zeros((40, 50))
    matte[5:35, 5:45] = 1
    origin = (plate.data[0] + 100, plate.data[1] + 100)
    run_in_process(one_frame(tmp_path, source, matte, origin, plate.display))
    check_one_frame(tmp_path, 4)


@pytest.mark.parametrize(
    "name",
    [
        "test_images/BrightRingsNanInf",
        "test_images/WideColorGamut",
        "photo/Desk",
        "photo/GoldenGate",
        "photo/Cannon_b44",
    ],
)
def test_real_pictures_run_and_keep_what_is_outside(tmp_path: Path, data: Path, name: str) -> None:
    source = data / f"exr/{name}.exr"
    plate = load_exr(source)
    height, width = plate.planes["R"].shape
    matte = np.zeros((height, width))
    matte[height // 2 - 60 : height // 2 + 60, width // 2 - 60 : width // 2 + 60] = 1
    ran = run_in_process(one_frame(tmp_path, source, matte, (plate.data[0], plate.data[1]), plate.display))
    check_one_frame(tmp_path, 1 + 12 * width // 1920)
    comp = load_exr(tmp_path / "out/comp.0001.exr")
    filled = comp.planes["R"][height // 2 - 60 : height // 2 + 60, width // 2 - 60 : width // 2 + 60]
    assert np.isfinite(filled).all()
    if "NanInf" in name:
        assert any(warning.code == "broken_pixels" for warning in ran.warnings)
    if "b44" in name:
        assert comp.attributes["compression"] == "zip"


def test_a_moving_data_window_and_a_named_matte_channel_work(tmp_path: Path, data: Path) -> None:
    for number in range(1, 5):
        name = f"plate.{number:04d}.exr"
        (tmp_path / name).write_bytes((data / f"exr/beachball/singlepart.{number:04d}.exr").read_bytes())
    run_in_process(
        RemovalRequest(
            plate=ImageInput(str(tmp_path / "plate.%04d.exr")),
            object_matte=ImageInput(str(tmp_path / "plate.%04d.exr"), ("whitebarmask.right.mask",)),
            outputs=(Output("comp", str(tmp_path / "out/comp.%04d.exr")),),
            engine="recover",
        )
    )
    for number in range(1, 5):
        plate, comp = load_exr(tmp_path / f"plate.{number:04d}.exr"), load_exr(tmp_path / f"out/comp.{number:04d}.exr")
        assert (plate.data, plate.display) == (comp.data, comp.display)
        assert set(plate.planes) == set(comp.planes)
        for name in set(plate.planes) - set(RGB):
            assert (bits(plate.planes[name]) == bits(comp.planes[name])).all()
        clear = plate.planes["whitebarmask.right.mask"] == 0
        import cv2

        far = cv2.erode(clear.astype(np.uint8), np.ones((31, 31), np.uint8)) > 0
        assert far.any()
        for name in RGB:
            assert (bits(plate.planes[name]) == bits(comp.planes[name]))[far].all()


def test_a_stereo_multipart_plate_keeps_all_its_parts(tmp_path: Path, data: Path) -> None:
    (tmp_path / "plate.0001.exr").write_bytes((data / "exr/beachball/multipart.0001.exr").read_bytes())
    run_in_process(
        RemovalRequest(
            plate=ImageInput(str(tmp_path / "plate.%04d.exr")),
            object_matte=ImageInput(str(tmp_path / "plate.%04d.exr"), ("whitebarmask.mask",)),
            outputs=(Output("comp", str(tmp_path / "out/comp.%04d.exr")),),
            view="left",
            engine="recover",
        )
    )
    for part in range(10):
        before, after = load_exr(tmp_path / "plate.0001.exr", part), load_exr(tmp_path / "out/comp.0001.exr", part)
        assert (before.data, set(before.planes)) == (after.data, set(after.planes))
        same = all((bits(before.planes[name]) == bits(after.planes[name])).all() for name in before.planes)
        assert same == (part != 4), "only the left picture may change"


def test_metadata_is_kept_and_nothing_volatile_is_added(shot: Shot) -> None:
    run_in_process(shot.request(outputs=both(shot)))
    frame = shot.frames.first
    plate = load_exr(shot.plate % frame)
    for kind in ("patch", "comp"):
        result = load_exr(shot.out(kind) % frame)
        for name in (
            "reelName",
            "nuke/input/frame_rate",
            "smpte:TimeCode",
            "FramesPerSecond",
            "colorInteropID",
            "DateTime",
        ):
            assert result.attributes[name] == plate.attributes[name], name
        added = {name: value for name, value in result.attributes.items() if name.startswith("void/")}
        assert set(added) == {"void/engine", "void/engine_digest", "void/encoding", "void/seed", "void/pixels_version"}


def test_thumbnails_and_the_aces_flag_do_not_travel(shot: Shot) -> None:
    frame = shot.frames.first
    plate = load_exr(shot.plate % frame)
    pixels = np.stack([plate.planes[name] for name in RGB], axis=-1)
    save_exr(shot.folder / f"plate.{frame}.exr", pixels, compression="none", attributes={"acesImageContainerFlag": 1})
    assert load_exr(shot.plate % frame).attributes["acesImageContainerFlag"] == 1
    run_in_process(shot.request(outputs=both(shot)))
    assert "acesImageContainerFlag" not in load_exr(shot.out("patch") % frame).attributes


def test_a_float_plate_gives_float_results_and_keeps_every_bit(shot: Shot) -> None:
    for frame in shot.frames:
        plate = load_exr(shot.plate % frame)
        pixels = np.stack([plate.planes[name].astype(np.float32) * np.float32(1.0001) for name in RGB], axis=-1)
        save_exr(shot.folder / f"plate.{frame}.exr", pixels)
    run_in_process(shot.request(outputs=both(shot)))
    frame = shot.frames.first
    plate, comp = load_exr(shot.plate % frame), load_exr(shot.out("comp") % frame)
    assert comp.planes["R"].dtype == np.float32
    assert (bits(comp.planes["R"]) == bits(plate.planes["R"]))[outside(shot, frame)].all()


def test_depth_and_other_layers_of_another_type_survive_a_comp(shot: Shot) -> None:
    depth = np.random.default_rng(1).random(shot.size).astype(np.float32) * 1000
    for frame in shot.frames:
        plate = load_exr(shot.plate % frame)
        pixels = np.stack([*(plate.planes[name].astype(np.float32) for name in RGB), depth], axis=-1)
        save_exr(
            shot.folder / f"plate.{frame}.exr", pixels, ["R", "G", "B", "Z"], kinds=["half", "half", "half", "float"]
        )
    run_in_process(shot.request(outputs=both(shot)))
    frame = shot.frames.last
    plate, comp = load_exr(shot.plate % frame), load_exr(shot.out("comp") % frame)
    assert comp.planes["R"].dtype == np.float16 and comp.planes["Z"].dtype == np.float32
    assert (bits(comp.planes["Z"]) == bits(plate.planes["Z"])).all()
    assert (bits(comp.planes["R"]) == bits(plate.planes["R"]))[outside(shot, frame)].all()


def test_the_coverage_channel_is_written_on_request(shot: Shot) -> None:
    run_in_process(shot.request(settings=RenderSettings(coverage_channel=True), outputs=both(shot)))
    frame = shot.frames.first
    for kind in ("patch", "comp"):
        coverage = load_exr(shot.out(kind) % frame).planes["void.coverage"]
        assert 0.9 < coverage.max() <= 1
