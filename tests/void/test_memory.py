"""Which networks are on the device, and what happens when there is no room."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from void_plugin.errors import JobError
from void_server.engines.void.memory import TEXT, VAE, Memory, choose_mode, needed_bytes, transformer

CPU = torch.device("cpu")
SIZES = {TEXT: 9_500_000_000, VAE: 430_000_000, "pass1": 11_140_000_000, "pass2": 11_140_000_000}
RASTER = (384, 672)
GIB = 1 << 30


class Loads:
    """Loads networks that do nothing, and counts."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.table = {name: self._load(name) for name in (TEXT, VAE, transformer(1), transformer(2))}

    def _load(self, name: str):  # type: ignore[no-untyped-def]
        def load(device: torch.device) -> nn.Module:
            self.done.append(name)
            return nn.Identity()

        return load


def ignore(code: str, frame: int | None, text: str) -> None:
    """Hears no warning."""


def visit(memory: Memory, *names: str) -> None:
    for name in names:
        memory.run(name, lambda network: network, ignore)


def test_full_keeps_everything() -> None:
    loads = Loads()
    visit(Memory("full", CPU, loads.table), TEXT, VAE, "pass1", VAE, "pass2", TEXT, "pass1")
    assert loads.done == [TEXT, VAE, "pass1", "pass2"]


def test_swap_keeps_the_vae_and_one_other() -> None:
    loads = Loads()
    memory = Memory("swap", CPU, loads.table)
    visit(memory, TEXT, VAE)
    assert memory.resident == {VAE}
    visit(memory, "pass1", VAE, "pass1")
    assert memory.resident == {VAE, "pass1"}
    visit(memory, "pass2")
    assert memory.resident == {VAE, "pass2"}
    visit(memory, TEXT)
    assert memory.resident == {VAE, TEXT}
    assert loads.done == [TEXT, VAE, "pass1", "pass2", TEXT]


def test_offload_keeps_only_the_one_in_use() -> None:
    loads = Loads()
    memory = Memory("offload", CPU, loads.table)
    for name in (TEXT, VAE, "pass1", "pass2"):
        visit(memory, name)
        assert memory.resident == {name}


def test_running_out_of_memory_steps_down_one_mode_and_goes_on() -> None:
    loads, told, failed = Loads(), [], []
    memory = Memory("full", CPU, loads.table)
    visit(memory, TEXT, VAE)

    def work(network: nn.Module) -> str:
        if not failed:
            failed.append(True)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore")
        return "done"

    assert memory.run("pass1", work, lambda code, frame, text: told.append((code, text))) == "done"
    assert memory.mode == "swap" and memory.resident == {"pass1"}
    [(code, text)] = told
    assert code == "memory_mode" and "in the mode full; it goes on in the mode swap" in text


def test_without_a_leaner_mode_the_job_fails_and_the_device_is_empty() -> None:
    memory = Memory("offload", CPU, Loads().table)

    def work(network: nn.Module) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(JobError, match=r"with only the network vae there.*--void-raster") as raised:
        memory.run(VAE, work, ignore)
    assert raised.value.code == "job.memory" and memory.resident == set()


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    memory = Memory("full", CPU, Loads().table)

    def work(network: nn.Module) -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        memory.run(VAE, work, ignore)
    assert memory.mode == "full"


def test_networks_run_without_gradients() -> None:
    memory = Memory("full", CPU, Loads().table)
    assert memory.run(VAE, lambda network: torch.is_grad_enabled(), ignore) is False
    assert torch.is_grad_enabled()


def test_networks_run_on_cudnn_with_kernels_that_no_timing_chose() -> None:
    flags = torch.backends.cudnn
    found = Memory("full", CPU, Loads().table).run(
        VAE, lambda network: (flags.enabled, flags.benchmark, flags.deterministic), ignore
    )
    assert found == (True, False, True)


@pytest.mark.parametrize(
    ("free", "mode"), [(80, "full"), (60, "full"), (40, "swap"), (28, "swap"), (23, "offload"), (10, "offload")]
)
def test_auto_takes_the_first_mode_that_fits(free: int, mode: str) -> None:
    assert choose_mode("auto", SIZES, RASTER, free * GIB) == mode


def test_a_mode_asked_for_is_taken() -> None:
    for mode in ("full", "swap", "offload", "fp8"):
        assert choose_mode(mode, SIZES, RASTER, 0) == mode


def test_leaner_modes_need_less() -> None:
    needed = [needed_bytes(mode, SIZES, RASTER) for mode in ("full", "swap", "fp8", "offload")]
    assert needed == sorted(needed, reverse=True)
    assert needed[-1] <= 20 * GIB
    assert needed_bytes("full", SIZES, (768, 1344)) > needed[0]
