"""What each matte means for the result."""

from pathlib import Path

import numpy as np
from shots import Shot, bits, load_exr, run_in_process, save_exr

from void_plugin.request import ImageInput, Output
from void_plugin.settings import RenderSettings

RGB = ("R", "G", "B")


def picture(path: str) -> np.ndarray:
    exr = load_exr(path)
    return np.stack([exr.planes[name] for name in RGB], axis=-1).astype(np.float32)


def matte(shot: Shot, name: str, box: tuple[int, int, int, int]) -> ImageInput:
    """A rectangle (x0, y0, x1, y1) on every frame."""
    values = np.zeros(shot.size, np.float16)
    values[box[1] : box[3], box[0] : box[2]] = 1
    for frame in shot.frames:
        save_exr(shot.folder / f"{name}.{frame}.exr", values, ["A"])
    return ImageInput(str(shot.folder / f"{name}.%04d.exr"))


def shade(shot: Shot, box: tuple[int, int, int, int]) -> None:
    """Halve the light of a rectangle on the first four frames: a cast shadow that leaves."""
    for frame in list(shot.frames)[:4]:
        pixels = picture(shot.plate % frame)
        pixels[box[1] : box[3], box[0] : box[2]] *= 0.5
        save_exr(Path(shot.plate % frame), pixels.astype(np.float16), attributes={"colorInteropID": "lin_ap1_scene"})


def shadow_matte(shot: Shot, box: tuple[int, int, int, int]) -> ImageInput:
    found = matte(shot, "affected", box)
    for frame in list(shot.frames)[4:]:
        save_exr(shot.folder / f"affected.{frame}.exr", np.zeros(shot.size, np.float16), ["A"])
    return found


def comp(shot: Shot) -> tuple[Output]:
    return (Output("comp", shot.out("comp")),)


def test_affected_pixels_are_kept_by_default_and_filled_on_request(shot: Shot) -> None:
    box = (130, 10, 170, 30)
    shade(shot, box)
    affected = shadow_matte(shot, box)
    area = np.s_[box[1] + 2 : box[3] - 2, box[0] + 2 : box[2] - 2]
    run_in_process(shot.request(affected_matte=affected, outputs=comp(shot)))
    frame = shot.frames.first
    assert (bits(load_exr(shot.out("comp") % frame).planes["R"]) == bits(load_exr(shot.plate % frame).planes["R"]))[
        area
    ].all()
    settings = RenderSettings(recover_affected="fill")
    run_in_process(shot.request(affected_matte=affected, outputs=comp(shot), settings=settings))
    assert np.abs(picture(shot.out("comp") % frame) - shot.truth[frame])[area].max() < 0.02


def test_what_the_exclude_matte_covers_is_never_sampled(shot: Shot) -> None:
    """Every frame but one shows a bright intruder where the object stands on the first frame."""
    area = shot.mattes[1001] > 0.01
    rows, columns = np.nonzero(area)
    box = (int(columns.min()) - 8, int(rows.min()) - 8, int(columns.max()) + 9, int(rows.max()) + 9)
    for frame in list(shot.frames)[1:-1]:
        pixels = picture(shot.plate % frame)
        pixels[box[1] : box[3], box[0] : box[2]] = [0.0, 0.0, 40.0]
        save_exr(Path(shot.plate % frame), pixels.astype(np.float16), attributes={"colorInteropID": "lin_ap1_scene"})
    exclude = matte(shot, "exclude", box)
    for frame in (1001, 1008):
        save_exr(shot.folder / f"exclude.{frame}.exr", np.zeros(shot.size, np.float16), ["A"])
    run_in_process(shot.request(exclude_matte=exclude, outputs=comp(shot)))
    inside = shot.mattes[1001] > 0.5
    result = picture(shot.out("comp") % 1001)
    assert result[inside].max() < 3
    assert np.abs(result - shot.truth[1001])[inside].mean() < 0.01


def test_an_artists_clean_plate_is_used_before_anything_is_invented(shot: Shot) -> None:
    """The object never moves, so no frame shows what is behind it; one painted frame does."""
    still = shot.mattes[1004]
    for frame in shot.frames:
        pixels = shot.truth[frame] * (1 - still[..., None]) + 0.7 * still[..., None]
        save_exr(Path(shot.plate % frame), pixels.astype(np.float16), attributes={"colorInteropID": "lin_ap1_scene"})
        save_exr(Path(shot.matte % frame), still.astype(np.float16), ["A"])
    save_exr(shot.folder / "clean.1002.exr", shot.truth[1002].astype(np.float16))
    clean = ImageInput(str(shot.folder / "clean.%04d.exr"))
    ran = run_in_process(shot.request(clean_plate=clean, outputs=comp(shot)))
    for frame in (1002, 1007):
        assert np.abs(picture(shot.out("comp") % frame) - shot.truth[frame])[still > 0.5].max() < 0.02
    assert not [warning for warning in ran.warnings if warning.code == "low_coverage"]
    alone = run_in_process(shot.request(outputs=(Output("comp", shot.out("comp", "alone")),)))
    assert [warning for warning in alone.warnings if warning.code == "low_coverage"]


def test_a_quadmask_does_what_the_mattes_it_stands_for_do(shot: Shot) -> None:
    for frame in shot.frames:
        codes = np.full(shot.size, 255, np.float32)
        codes[shot.mattes[frame] > 0.003] = 0
        save_exr(shot.folder / f"quadmask.{frame}.exr", (codes / 255).astype(np.float16), ["Y"])
        save_exr(Path(shot.matte % frame), (shot.mattes[frame] > 0.003).astype(np.float16), ["A"])
    run_in_process(shot.request(outputs=comp(shot)))
    run_in_process(
        shot.request(
            object_matte=None,
            quadmask=ImageInput(str(shot.folder / "quadmask.%04d.exr")),
            outputs=(Output("comp", shot.out("comp", "quad")),),
        )
    )
    for frame in shot.frames:
        one, other = load_exr(shot.out("comp") % frame), load_exr(shot.out("comp", "quad") % frame)
        assert all((bits(one.planes[name]) == bits(other.planes[name])).all() for name in RGB)


def test_a_log_plate_is_worked_on_in_light_and_stays_log(shot: Shot) -> None:
    import PyOpenColorIO as ocio

    from void_server.colour import PINNED_CONFIG

    config = ocio.Config.CreateFromFile(PINNED_CONFIG)
    encode = config.getProcessor("ACEScg", "ARRI LogC4").getDefaultCPUProcessor()
    truths = {}
    for frame in shot.frames:
        for source, keep in ((picture(shot.plate % frame), False), (shot.truth[frame].copy(), True)):
            values = np.ascontiguousarray(source, np.float32)
            encode.applyRGB(values)
            if keep:
                truths[frame] = values
            else:
                save_exr(Path(shot.plate % frame), values.astype(np.float16))
    run_in_process(shot.request(colour="ARRI LogC4", outputs=comp(shot)))
    for frame in shot.frames:
        plate, result = load_exr(shot.plate % frame), load_exr(shot.out("comp") % frame)
        inside, far = shot.mattes[frame] > 0.5, shot.mattes[frame] == 0
        assert np.abs(picture(shot.out("comp") % frame) - truths[frame])[inside].mean() < 0.01
        changed = bits(plate.planes["G"]) != bits(result.planes["G"])
        assert changed[inside].any() and changed[far].mean() < 0.05


def test_a_matte_with_its_own_smaller_data_window_counts_as_empty_beyond_it(shot: Shot) -> None:
    for frame in shot.frames:
        rows, columns = np.nonzero(shot.mattes[frame])
        y0, y1, x0, x1 = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
        crop = shot.mattes[frame][y0:y1, x0:x1].astype(np.float16)
        display = (0, 0, shot.size[1], shot.size[0])
        save_exr(shot.folder / f"crop.{frame}.exr", crop, ["A"], origin=(int(x0), int(y0)), display=display)
    run_in_process(shot.request(outputs=comp(shot)))
    cropped = ImageInput(str(shot.folder / "crop.%04d.exr"))
    run_in_process(shot.request(object_matte=cropped, outputs=(Output("comp", shot.out("comp", "crop")),)))
    for frame in shot.frames:
        one, other = load_exr(shot.out("comp") % frame), load_exr(shot.out("comp", "crop") % frame)
        assert all((bits(one.planes[name]) == bits(other.planes[name])).all() for name in RGB)
