"""The GPUs of a worker: which CUDA would show, how large they are, and who keeps them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from void_plugin.errors import JobError, ServerError
from void_server.gpus import Gpu, GpuLock, farm_environment, large_enough, visible_gpus

ROWS = ("GPU-aaaa, NVIDIA H200, 143771", "GPU-bbbb, NVIDIA L4, 23034")
H200, L4 = Gpu("GPU-aaaa", "NVIDIA H200", 143771), Gpu("GPU-bbbb", "NVIDIA L4", 23034)


def machine(folder: Path, *rows: str, shown: str | None = None) -> dict[str, str]:
    """An environment in which `nvidia-smi` lists these."""
    program = folder / "nvidia-smi"
    program.write_text("#!/bin/sh\n" + "".join(f"echo '{row}'\n" for row in rows))
    program.chmod(0o755)
    return {"PATH": str(folder) + ":/bin:/usr/bin", **({} if shown is None else {"CUDA_VISIBLE_DEVICES": shown})}


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (None, [H200, L4]),
        ("1", [L4]),
        ("1,0", [L4, H200]),
        ("GPU-bb", [L4]),
        ("", []),
        ("-1", []),
        ("0,7,1", [H200]),
        ("MIG-x/1/0", [Gpu("MIG-x/1/0", "a part of a GPU", 0)]),
    ],
)
def test_cuda_would_show_what_the_farm_gave(tmp_path: Path, shown: str | None, wanted: list[Gpu]) -> None:
    assert visible_gpus(machine(tmp_path, *ROWS, shown=shown)) == wanted


def test_a_machine_without_a_driver_has_none(tmp_path: Path) -> None:
    assert visible_gpus({"PATH": str(tmp_path)}) == []
    assert visible_gpus(machine(tmp_path, "NVIDIA-SMI has failed, and says why")) == []


def test_a_driver_that_cannot_be_asked_is_said(tmp_path: Path) -> None:
    environment = machine(tmp_path, *ROWS)
    (tmp_path / "nvidia-smi").write_text("no program")
    with pytest.raises(ServerError, match="repair the driver"):
        visible_gpus(environment)


def test_memory_asked_is_held_against_memory_found() -> None:
    assert large_enough([L4, H200], 40000) == [H200]
    assert large_enough([L4], 23034) == [L4]
    part = Gpu("MIG-x", "a part of a GPU", 0)
    assert large_enough([part], 40000) == [part], "of which nobody says how large it is"
    with pytest.raises(JobError) as caught:
        large_enough([L4], 40000)
    assert caught.value.exit_code == 71 and "40000 MiB" in caught.value.message and "23034 MiB" in caught.value.message
    with pytest.raises(JobError) as caught:
        large_enough([], 40000)
    assert caught.value.exit_code == 69


def test_what_opencue_calls_gpus_is_passed_on() -> None:
    assert farm_environment({"CUE_GPU_CORES": "2"})["CUDA_VISIBLE_DEVICES"] == "2"
    assert farm_environment({"CUE_GPU_CORES": "2", "CUDA_VISIBLE_DEVICES": "0"})["CUDA_VISIBLE_DEVICES"] == "0"
    assert "CUDA_VISIBLE_DEVICES" not in farm_environment({})


def test_a_gpu_has_one_keeper_and_its_lock_is_gone_after(tmp_path: Path) -> None:
    one, other = GpuLock(L4, str(tmp_path)), GpuLock(L4, str(tmp_path))
    assert one.take() and not other.take()
    assert GpuLock(H200, str(tmp_path)).take()
    one.release()
    one.release()
    assert not Path(one.path).exists()
    assert other.take() and Path(other.path).exists()


def test_the_lock_of_a_killed_keeper_is_free(tmp_path: Path) -> None:
    lock = GpuLock(L4, str(tmp_path))
    script = "import fcntl, os, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); os.abort()"
    subprocess.run([sys.executable, "-c", script, lock.path], capture_output=True, check=False)
    assert Path(lock.path).exists() and lock.take()


def test_a_lock_that_is_removed_while_it_is_taken_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, real = GpuLock(L4, str(tmp_path)), fcntl.flock
    removed = False

    def flock(descriptor: int, how: int) -> None:
        nonlocal removed
        if not removed:
            removed = True
            os.unlink(lock.path)
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    assert lock.take()
    assert Path(lock.path).exists() and not GpuLock(L4, str(tmp_path)).take()


def test_a_part_of_a_gpu_has_a_lock_of_its_own(tmp_path: Path) -> None:
    assert GpuLock(Gpu("MIG-GPU-x/1/0", "", 0), str(tmp_path)).take()
    assert [path.name for path in tmp_path.iterdir()] == ["void-gpu-MIG-GPU-x_1_0.lock"]
