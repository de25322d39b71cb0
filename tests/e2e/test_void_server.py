"""A shot through a real server with a tiny VOID: equal bytes however it travels, and after a kill in the middle."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soak
from servers import Calls, Server, until
from shots import Shot, bits, build_shot, load_exr, merged, run_in_process
from tinyvoid import build_weights

from void_plugin.config import Config
from void_plugin.events import Finished, FrameReady, Progressed, Started
from void_plugin.request import Output, RemovalRequest
from void_plugin.settings import RenderSettings

SETTINGS = RenderSettings(
    source="generated", void_raster="112x64", void_short_clips="short", void_passes=2, void_steps=6, void_pass2_steps=5
)
LONG = replace(SETTINGS, void_steps=400)
"""So many steps that there is time to kill it."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return Config(weights=str(build_weights(tmp_path_factory.mktemp("weights"))), device="cpu")


@pytest.fixture(scope="module")
def server(machine: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("void")
    environment = {"VOID_DEVICE": "cpu"}
    flags = ("--allow-root", str(folder), "--weights", machine.weights, "--memory", "swap")
    with Server(folder / "state", *flags, environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def calls(server: Server) -> Iterator[Calls]:
    with server.calls() as made:
        yield made


@pytest.fixture
def shot(server: Server, tmp_path: Path) -> Shot:
    return build_shot(server.state.parent / tmp_path.name, count=9, size=(108, 192), pan=2)


def asked(shot: Shot, folder: str, settings: RenderSettings = SETTINGS) -> RemovalRequest:
    output = Output("patch", str(shot.folder / folder / "result.%04d.exr"))
    return shot.request(engine="void", settings=settings, frames=shot.frames, outputs=(output,))


def test_the_server_offers_void_with_its_weights_and_memory(calls: Calls) -> None:
    engine = {engine.name: engine for engine in calls.list_engines().engines}["void"]
    assert engine.available and engine.memory == "swap" and engine.digest and engine.longest_clip == 197
    assert (engine.raster_width, engine.raster_height) == (672, 384)


def test_paths_uploads_and_one_process_give_the_same_bytes(calls: Calls, shot: Shot, machine: Config) -> None:
    run_in_process(asked(shot, "alone"), machine=machine)
    wanted = soak.digests(shot.folder / "alone")
    assert len(wanted) == 9
    by_paths = calls.submit_paths(asked(shot, "paths"), f"{shot.folder.name}-paths").job.job_id
    events = list(calls.watch(by_paths))
    assert isinstance(events[-1], Finished), events[-1]
    assert soak.digests(shot.folder / "paths") == wanted
    by_uploads = calls.submit_uploads(asked(shot, "paths"), f"{shot.folder.name}-uploads").job.job_id
    found = {event.frame: event.digest for event in calls.watch(by_uploads) if isinstance(event, FrameReady)}
    assert {f"result.{frame}.exr": digest for frame, digest in found.items()} == wanted
    # Outside of the matte nothing changed; inside it did, and is said to be generated.
    for frame in shot.frames:
        plate, patch = load_exr(shot.plate % frame), load_exr(shot.folder / "paths" / f"result.{frame}.exr")
        alpha = patch.over(plate.data, "A")
        for name, values in merged(patch, plate).items():
            assert (bits(values)[alpha == 0] == bits(plate.planes[name])[alpha == 0]).all()
        assert (alpha > 0).any() and np.isfinite(patch.planes["R"].astype(np.float32)).all()
    summary = events[-1].summary
    assert summary["generated"] > 0 and summary["recovered"] == 0
    result = json.loads(next(shot.folder.glob("paths/.void/*/result.json")).read_text())
    assert result["settings"]["seed"] == 0 and result["settings"]["void_passes"] == 2 and result["prompt"] == ""


def test_progress_names_pass_window_and_step(calls: Calls, shot: Shot) -> None:
    job = calls.submit_paths(asked(shot, "told", LONG), f"{shot.folder.name}-told").job.job_id
    told = [event for event in calls.watch(job) if isinstance(event, Progressed) and event.pass_number]
    assert {event.pass_number for event in told} >= {1} and any(event.window == 1 for event in told)
    assert any("step" in event.text and "of 400" in event.text for event in told)


def test_a_job_killed_while_denoising_goes_on_to_the_same_bytes(
    server: Server, calls: Calls, shot: Shot, machine: Config
) -> None:
    run_in_process(asked(shot, "alone", LONG), machine=machine)
    job = calls.submit_paths(asked(shot, "killed", LONG), f"{shot.folder.name}-killed").job.job_id
    until(lambda: list(shot.folder.glob("killed/.void/*/shelf/*.checkpoint.npz")), what="the checkpoint")
    for pid in server.worker_pids():
        os.kill(pid, signal.SIGKILL)
    events = list(calls.watch(job))
    assert isinstance(events[-1], Finished), events[-1]
    assert sum(isinstance(event, Started) for event in events) == 2
    again = events[max(at for at, event in enumerate(events) if isinstance(event, Started)) :]
    steps = [event.text for event in again if isinstance(event, Progressed) and "pass 1, step" in event.text]
    assert not any(text.startswith("pass 1, step 1 of") for text in steps)
    assert soak.digests(shot.folder / "killed") == soak.digests(shot.folder / "alone")
    assert not list(shot.folder.glob("killed/.void/*/shelf/*.checkpoint.npz"))


def test_without_a_gpu_void_is_refused_with_the_reason(tmp_path: Path) -> None:
    cuda = {"VOID_DEVICE": "cuda"}
    with Server(tmp_path / "state", environment=cuda) as other, other.calls() as calls:
        engine = {engine.name: engine for engine in calls.list_engines().engines}["void"]
    assert not engine.available and engine.unavailable_reason == "VOID needs an NVIDIA GPU, and there is none here."
