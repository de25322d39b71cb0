"""Pixels of the stand-in for Nuke: what is rendered is exact, and what cannot be rendered is loud."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nukes import Nuke, python, refused
from shots import Exr, load_exr, save_exr

HARD = [-0.1, 60.0, np.nan, np.inf, -np.inf, 1e-42, 65504.0, -0.0]
"""Values of a plate that must survive: negative, bright, not finite, denormal."""


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """Three frames of a plate full of hard values and of a patch that covers its lower half, and a matte."""
    rng = np.random.default_rng(3)
    for frame in (1, 2, 3):
        plate = rng.normal(size=(16, 24, 4)).astype(np.float32)
        plate[:8, :8] = np.array(HARD, np.float32)[:, None, None]
        patch = np.zeros((16, 24, 4), np.float32)
        patch[8:] = [0.25, 0.5, 0.125, 0.5]
        matte = np.full((16, 24), frame / 4, np.float32)
        save_exr(tmp_path / f"plate.{frame:04d}.exr", plate, "RGBA", attributes={"PixelAspectRatio": 2.0})
        save_exr(tmp_path / f"patch.{frame:04d}.exr", patch, "RGBA")
        save_exr(tmp_path / f"matte.{frame:04d}.exr", matte, ("mask.a",))
    return tmp_path


def read(folder, name):
    """A raw Read of some of the footage, named after it."""
    import nuke

    return nuke.nodes.Read(file=folder + "/" + name + ".%04d.exr", first=1, last=3, raw=True, name=name)


def write_of(folder, node):
    """A raw EXR Write of a node."""
    import nuke

    path = folder + "/out/x.%04d.exr"
    return nuke.nodes.Write(inputs=[node], file=path, file_type="exr", raw=True, create_directories=True)


@pytest.fixture(params=["3.7", "3.11"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Any]:
    """Runs a scenario in a fake Nuke of one Python."""
    nuke = Nuke(python(request.param), tmp_path / "host")
    return lambda scenario, *arguments: nuke.run(scenario, *arguments, helpers=[read, write_of])


def bits(values: Any) -> Any:
    """The bits of float32 values, with -0.0 as +0.0."""
    found = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return np.where(found == 0x80000000, 0, found)


def stacked(exr: Exr) -> Any:
    return np.stack([exr.planes[name] for name in "RGBA"], axis=-1)


def test_over_leaves_every_bit_of_the_plate_where_the_patch_is_empty(host: Callable[..., Any], footage: Path) -> None:
    def scenario(folder):
        import nuke

        plate = read(folder, "plate")
        patch = read(folder, "patch")
        write = write_of(folder, plate)
        group = nuke.nodes.Group()
        with group:
            below, above = nuke.nodes.Input(name="plate"), nuke.nodes.Input(name="patch", number=1)
            factor = nuke.nodes.Multiply(inputs=[above], channels="rgba")
            factor["value"].setExpression("parent.mix")
            merge = nuke.nodes.Merge2(inputs=[below, factor], bbox="B")
            nuke.nodes.Output(inputs=[nuke.nodes.Switch(inputs=[merge, below])])
        group.addKnob(nuke.Double_Knob("mix"))
        group["mix"].setValue(1)
        group.setInput(0, plate)
        group.setInput(1, patch)
        write.setInput(0, group)
        write["channels"].setValue("rgba")
        write["datatype"].setValue("32 bit float")
        nuke.execute(write, 2, 2)
        colours = nuke.nodes.Merge2(inputs=[plate, patch], output="rgb")
        return [nuke.fake.evaluate(group, 2), nuke.fake.evaluate(colours, 2), nuke.fake.written]

    merged, colours, written = host(scenario, str(footage))
    assert written == [["Write1", 2, "main", f"{footage}/out/x.0002.exr"]]
    plate = stacked(load_exr(footage / "plate.0002.exr"))
    expected = plate.copy()
    expected[8:] = np.float32([0.25, 0.5, 0.125, 0.5]) + plate[8:] * np.float32(0.5)
    for result in (np.load(merged), stacked(load_exr(footage / "out" / "x.0002.exr"))):
        assert result.dtype == np.float32
        assert (bits(result) == bits(expected)).all()
        assert (bits(result[:8]) == bits(plate[:8])).all()
    assert (bits(np.load(colours)[..., 3]) == bits(plate[..., 3])).all()
    assert (bits(np.load(colours)[..., :3]) == bits(expected[..., :3])).all()


def test_a_write_keeps_to_its_knobs(host: Callable[..., Any], footage: Path) -> None:
    def scenario(folder):
        import nuke

        plate = read(folder, "plate")
        matte = read(folder, "matte")
        write = write_of(folder, plate)
        write["compression"].setValue("PIZ Wavelet (32 scanlines)")
        mask = nuke.nodes.Write(file=folder + "/m.%03d.exr", file_type="exr", raw=True, inputs=[matte])
        mask["datatype"].setValue("32 bit float")
        mask["channels"].setValue("mask.a")
        nuke.executeMultiple((write, mask), ([1, 3, 2],), ["main"])
        nuke.addView("right")
        plate["file"].setValue(folder + "/%V/p.%04d.exr")
        write["file"].setValue(folder + "/out/%V.####.exr")
        write["views"].setValue("right")
        refused(lambda: nuke.execute(write, 1, 1), RuntimeError, "right/p.0001.exr")
        plate["file"].setValue(folder + "/plate.%04d.exr")
        write["views"].setValue("all")
        nuke.execute(write, 1, 1, 1, ["right"])
        nuke.execute(write, nuke.FrameRanges([nuke.FrameRange(2, 3, 1)]))
        mask["disable"].setValue(True)
        nuke.execute(mask, 2, 2)
        write["use_limit"].setValue(True)
        write["last"].setValue(2)
        nuke.execute(write, 3, 3)
        return [path[len(folder) + 1 :] for _, _, _, path in nuke.fake.written]

    assert host(scenario, str(footage)) == [
        "out/x.0001.exr",
        "m.001.exr",
        "out/x.0003.exr",
        "m.003.exr",
        "out/right.0001.exr",
        "out/main.0002.exr",
        "out/right.0002.exr",
        "out/main.0003.exr",
        "out/right.0003.exr",
    ]
    plate, matte = load_exr(footage / "out" / "x.0001.exr"), load_exr(footage / "m.001.exr")
    assert sorted(plate.planes) == ["B", "G", "R"]
    assert plate.planes["R"].dtype == np.float16 and matte.planes["mask.a"].dtype == np.float32
    assert plate.attributes["compression"] == "piz"
    assert plate.attributes["PixelAspectRatio"] == 2.0
    assert (matte.planes["mask.a"] == 0.25).all()


def test_what_cannot_be_rendered_is_loud(host: Callable[..., Any], footage: Path) -> None:
    def scenario(folder):
        import nuke

        plate = read(folder, "plate")
        write = write_of(folder, plate)

        def run():
            nuke.execute(write, 1, 1)

        write["raw"].setValue(False)
        refused(run, NotImplementedError, "not raw")
        write["raw"].setValue(True)
        plate["raw"].setValue(False)
        plate["colorspace"].setValue("sRGB")
        refused(run, NotImplementedError, "sRGB")
        plate["colorspace"].setValue("linear")
        run()
        write["file_type"].setValue(" ")
        refused(run, NotImplementedError, "not exr")
        write["file_type"].setValue("exr")
        write["channels"].setValue("depth.Z")
        refused(run, RuntimeError, "Missing input channel")
        write["channels"].setValue("rgb")
        write.setInput(0, nuke.nodes.Roto(inputs=[plate]))
        refused(run, NotImplementedError, "the pixels of a Roto")
        write.setInput(0, plate)
        write["create_directories"].setValue(False)
        write["file"].setValue(folder + "/none/x.%04d.exr")
        refused(run, RuntimeError, "No such file or directory")
        nuke.root()["proxy"].setValue(True)
        refused(run, RuntimeError, "proxy mode")
        nuke.root().setProxy(False)
        refused(lambda: nuke.execute(plate, 1, 1), RuntimeError, "not executable")
        refused(lambda: nuke.execute(write, 1, 1, 1, ["left"]), RuntimeError, "no view 'left'")
        refused(lambda: nuke.executeMultiple([], [(1, 1, 1)]), RuntimeError, "every Write")
        del nuke.fake.faults[:]

    host(scenario, str(footage))


def test_missing_frames_do_as_the_read_says(host: Callable[..., Any], footage: Path) -> None:
    def scenario(folder):
        import nuke

        plate = read(folder, "plate")
        write = write_of(folder, plate)
        plate["last"].setValue(9)
        refused(lambda: nuke.execute(write, 3, 4), RuntimeError, "plate: " + folder + "/plate.0004.exr: Read error")
        assert len(nuke.fake.written) == 1
        nuke.frame(4)
        assert plate.hasError()
        found = []
        for choice in ("black", "nearest frame", "checkerboard"):
            plate["on_error"].setValue(choice)
            found.append(nuke.fake.evaluate(plate, 4, ["rgba.red"]))
        plate["last"].setValue(3)
        for outside in ("hold", "black"):
            plate["after"].setValue(outside)
            found.append(nuke.fake.evaluate(plate, 4, ["rgba.red"]))
        return found

    black, nearest, board, held, outside = (np.load(path)[..., 0] for path in host(scenario, str(footage)))
    last = load_exr(footage / "plate.0003.exr").planes["R"]
    assert not black.any() and not outside.any()
    assert (bits(nearest) == bits(last)).all() and (bits(held) == bits(last)).all()
    assert len(np.unique(board)) == 1 and board.any(), "one field of it fits in so small a picture"


def test_a_render_is_cancelled_and_runs_out_of_disk_to_order(host: Callable[..., Any], footage: Path) -> None:
    def scenario(folder):
        import nuke

        write = write_of(folder, read(folder, "plate"))
        nuke.fake.cancel_render_after(2)
        try:
            nuke.executeMultiple([write], [(1, 3, 1)], ["main"])
        except RuntimeError as error:
            assert error.args[0][0:9] == "Cancelled"
        assert len(nuke.fake.written) == 2
        nuke.execute(write, 3, 3)
        nuke.fake.fill_disk_after(1)
        refused(lambda: nuke.execute(write, 1, 3), RuntimeError, "No space left on device")
        nuke.fake.fill_disk_after(None)
        nuke.fake.fail_named("nuke.execute", MemoryError())
        refused(lambda: nuke.execute(write, 1, 3), MemoryError)
        return [frame for _, frame, _, _ in nuke.fake.written]

    assert host(scenario, str(footage)) == [1, 2, 3, 1]
    assert os.path.getsize(footage / "out" / "x.0002.exr") < 100, "the beginning of a file is left"


def test_callbacks_run_around_a_render_and_can_end_it(host: Callable[..., Any], footage: Path) -> None:
    def scenario(folder):
        import nuke

        write = write_of(folder, read(folder, "plate"))
        seen = []
        for kind in ("BeforeRender", "BeforeFrameRender", "AfterFrameRender", "AfterRender"):
            getattr(nuke, "add" + kind)(seen.append, (kind,), nodeClass="Write")
        nuke.execute(write, 1, 2)
        nuke.addBeforeRender(lambda: 1 / 0)
        refused(lambda: nuke.execute(write, 3, 3), ZeroDivisionError)
        assert not nuke.executing()
        return seen[:6]

    frame = ["BeforeFrameRender", "AfterFrameRender"]
    assert host(scenario, str(footage)) == ["BeforeRender", *frame, *frame, "AfterRender"]


def test_nodes_compute_what_they_are_for(host: Callable[..., Any], footage: Path) -> None:
    def scenario(folder):
        import nuke

        plate = read(folder, "plate")
        patch = read(folder, "patch")
        matte = read(folder, "matte")
        made = {
            "later": nuke.nodes.TimeOffset(inputs=[matte], time_offset=1),
            "held": nuke.nodes.FrameHold(inputs=[matte], firstFrame=1),
            "copied": nuke.nodes.Copy(inputs=[patch, matte], from0="mask.a", to0="rgba.alpha"),
            "shuffled": nuke.nodes.Shuffle2(
                inputs=[matte], mappings="2 mask.a 0 0 rgba.red 0 0 white -1 -1 rgba.alpha 0 3"
            ),
            "premultiplied": nuke.nodes.Premult(inputs=[patch]),
            "disabled": nuke.nodes.Invert(inputs=[patch], disable=True),
            "inverted": nuke.nodes.Invert(inputs=[patch], channels="rgba"),
            "removed": nuke.nodes.Remove(inputs=[patch], channels="alpha"),
            "keymixed": nuke.nodes.Keymix(inputs=[patch, plate, matte], maskChannel="mask.b"),
            "cropped": nuke.nodes.Crop(inputs=[patch], box=[0, 0, 24, 4]),
            "constant": nuke.nodes.Constant(color=[1, 2, 3, 4]),
            "masked": nuke.nodes.Multiply(inputs=[patch, matte], value=3, maskChannelInput="mask.a"),
            "differs": nuke.nodes.Merge2(inputs=[patch, patch], operation="difference"),
        }
        paths = {}
        for name, node in made.items():
            paths[name] = nuke.fake.evaluate(node, 2, ["rgba.red", "rgba.alpha", "mask.a"])
        return paths

    found = {name: np.load(path)[-1, 0].tolist() for name, path in host(scenario, str(footage)).items()}
    assert found == {
        "later": [0.0, 0.0, 0.25],
        "held": [0.0, 0.0, 0.25],
        "copied": [0.25, 0.5, 0.0],
        "shuffled": [0.5, 1.0, 0.5],
        "premultiplied": [0.125, 0.5, 0.0],
        "disabled": [0.25, 0.5, 0.0],
        "inverted": [0.75, 0.5, 0.0],
        "removed": [0.25, 0.0, 0.0],
        "keymixed": [0.25, 0.5, 0.0],
        "cropped": [0.25, 0.5, 0.0],
        "constant": [1.0, 4.0, 0.0],
        "masked": [0.5, 0.5, 0.0],
        "differs": [0.0, 0.0, 0.0],
    }


def test_a_read_shows_what_the_header_says(host: Callable[..., Any], footage: Path) -> None:
    def scenario(folder):
        import nuke

        plate = read(folder, "plate")
        matte = read(folder, "matte")
        matte["file"].fromUserText(folder + "/matte.%04d.exr 2-3")
        dot, later = nuke.nodes.Dot(inputs=[matte]), nuke.nodes.TimeOffset(inputs=[plate], time_offset=100)
        before = later.opHashes()
        nuke.toNode("plate")["before"].setValue("black")
        assert later.opHashes() != before
        before = later.opHashes()
        later["label"].setValue("note")
        assert later.opHashes() == before
        box = plate.bbox()
        return [
            [plate.width(), plate.height(), plate.pixelAspect(), plate.channels()],
            [dot.channels(), dot.firstFrame(), dot.lastFrame(), matte["origfirst"].value()],
            [later.firstFrame(), later.lastFrame(), nuke.nodes.Blur().width()],
            [box.x(), box.y(), box.w(), box.h()],
            [plate.metadata("input/width"), plate.metadata()["input/bitsperchannel"], plate.hasError()],
        ]

    assert host(scenario, str(footage)) == [
        [24, 16, 2.0, ["rgba.red", "rgba.green", "rgba.blue", "rgba.alpha"]],
        [["mask.a"], 2, 3, 2],
        [101, 103, 2048],
        [0, 0, 24, 16],
        [24, "32-bit float", False],
    ]


def test_data_windows_that_differ_from_the_format_are_black_around(host: Callable[..., Any], tmp_path: Path) -> None:
    def scenario(folder):
        import nuke

        plate = nuke.nodes.Read(file=folder + "/plate.%04d.exr", raw=True)
        patch = nuke.nodes.Read(file=folder + "/patch.%04d.exr", raw=True)
        merge = nuke.nodes.Merge2(inputs=[plate, patch])
        write = nuke.nodes.Write(file=folder + "/x.%04d.exr", file_type="exr", raw=True, inputs=[merge])
        nuke.execute(write, 1, 1)
        box = patch.bbox()
        return [nuke.fake.evaluate(merge, 1), [box.x(), box.y(), box.w(), box.h()]]

    plate = np.full((8, 12, 4), 0.5, np.float32)
    save_exr(tmp_path / "plate.0001.exr", plate, "RGBA", origin=(-2, -2), display=(0, 0, 8, 4))
    save_exr(tmp_path / "patch.0001.exr", plate[:2, :3] * 2, "RGBA", origin=(1, 1), display=(0, 0, 8, 4))
    path, box = host(scenario, str(tmp_path))
    merged = np.load(path)
    assert merged.shape == (8, 12, 4) and box == [1, 1, 3, 2]
    assert (merged[3:5, 3:6] == 1.0).all()
    merged[3:5, 3:6] = 0.5
    assert (merged == 0.5).all()
    written = load_exr(tmp_path / "x.0001.exr")
    assert written.data == (-2, -2, 10, 6) and written.display == (0, 0, 8, 4)
