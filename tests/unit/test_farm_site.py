"""The site file, and which farm a name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from void_plugin.config import load_config
from void_plugin.errors import FarmError
from void_plugin.farm import FARMS, open_farm
from void_plugin.farm.jobs import JobRef
from void_plugin.farm.site import PathMapping, Site, load_site

WHOLE = """
[farm]
default = "slurm"
engine = "void"
memory = "offload"
command = ["void-server"]
openjd = ["python3", "-m", "openjd"]
shared_roots = ["/shows"]
gpu_memory_mib = 48000
units_per_task = 4
frames_per_task = 12
path_mapping = [{ here = "/shows", there = "/mnt/shows" }]

[farm.rates]
load = 45
step = 0.9

[farm.slurm]
partition = "gpu"
"""


def saved(folder: Path, text: str) -> str:
    path = folder / "site.toml"
    path.write_text(text)
    return str(path)


def test_a_site_file_is_read(tmp_path: Path) -> None:
    site = load_site(saved(tmp_path, WHOLE))
    assert (site.default, site.engine, site.memory, site.frames_per_task) == ("slurm", "void", "offload", 12)
    assert site.path_mapping == (PathMapping("/shows", "/mnt/shows"),) and site.openjd[-1] == "openjd"
    assert (site.rates.load, site.rates.step, site.rates.recover_frame) == (45, 0.9, Site().rates.recover_frame)
    assert site.rates_measured and site.section("slurm", ("partition",)) == {"partition": "gpu"}


def test_without_a_file_there_are_the_defaults() -> None:
    assert load_site("") == Site() and not Site().rates_measured


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[farm]\ncolor = 1", "color"),
        ("[farm]\ndefault = 1", "default"),
        ("[farm]\nmemory = 'much'", "memory"),
        ("[farm]\nengine = 'best'", "engine"),
        ("[farm]\ncommand = []", "command"),
        ("[farm]\ncommand = 'void-server'", "command"),
        ("[farm]\nframes_per_task = 0", "frames_per_task"),
        ("[farm]\nunits_per_task = -1", "units_per_task"),
        ("[farm]\ngpu_memory_mib = true", "gpu_memory_mib"),
        ("[farm]\npath_mapping = [{here = '/a'}]", "path_mapping"),
        ("[farm.rates]\nlaod = 3", "load"),
        ("[farm.rates]\nload = 0", "load"),
        ("farm = 3", "[farm]"),
        ("[farm", "TOML"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = saved(tmp_path, text)
    with pytest.raises(FarmError) as error:
        load_site(path)
    assert path in error.value.message and named in error.value.message


def test_the_deepest_folder_that_is_mapped_decides_where_a_path_lies_for_workers() -> None:
    site = Site(path_mapping=(PathMapping("/shows", "/mnt/s"), PathMapping("/shows/xy", "/fast/xy")))
    told = [site.there(path) for path in ("/shows/a/b", "/shows/xy/c", "/showshow/a", "/shows")]
    assert told == ["/mnt/s/a/b", "/fast/xy/c", "/showshow/a", "/mnt/s"]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FarmError, match="nowhere"):
        load_site(str(tmp_path / "nowhere.toml"))


def test_a_backend_refuses_a_key_that_it_does_not_know(tmp_path: Path) -> None:
    site = load_site(saved(tmp_path, WHOLE))
    with pytest.raises(FarmError, match="partition"):
        site.section("slurm", ("account",))
    assert site.section("opencue", ()) == {}


def test_the_site_file_is_named_by_the_configuration_or_the_environment(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"site": "/etc/site.toml", "farms": {"ours": "studio.farm:Ours"}}')
    found = load_config({"VOID_CONFIG": str(config)})
    assert found.site == "/etc/site.toml" and found.farms == {"ours": "studio.farm:Ours"}
    assert load_config({"VOID_CONFIG": str(config), "VOID_SITE": "other.toml"}).site == "other.toml"


def test_the_local_farm_is_loaded_by_name(tmp_path: Path) -> None:
    assert open_farm("local", Site(), {"XDG_STATE_HOME": str(tmp_path)}).name == "local"
    assert "local" in FARMS


@pytest.mark.parametrize(
    ("name", "more", "named"),
    [
        ("tractor", {}, "tractor"),
        ("ours", {"ours": "no.such.module:Farm"}, "no.such.module"),
        ("ours", {"ours": "os.path:join"}, "no Farm"),
        ("ours", {"ours": "void_plugin.farm:Nothing"}, "Nothing"),
    ],
)
def test_a_farm_that_cannot_be_had_is_told(name: str, more: dict[str, str], named: str) -> None:
    with pytest.raises(FarmError) as error:
        open_farm(name, Site(), {}, more)
    assert named in error.value.message and error.value.code == "farm.unknown"


def test_a_farm_of_this_machines_configuration_is_loaded(tmp_path: Path) -> None:
    more = {"here": "void_plugin.farm.local:Local"}
    assert open_farm("here", Site(), {"XDG_STATE_HOME": str(tmp_path)}, more).name == "local"


@pytest.mark.parametrize("text", ["slurm:1234", "deadline-cloud:job-0123", "deadline10:64f:7"])
def test_a_jobs_name_can_be_read_back(text: str) -> None:
    assert str(JobRef.parse(text)) == text


@pytest.mark.parametrize("text", ["", "1234", "slurm:", ":1234", "Slurm 12", "slurm:12 34"])
def test_what_names_no_job_is_refused(text: str) -> None:
    with pytest.raises(FarmError, match="void submit"):
        JobRef.parse(text)
