"""What is installed really runs: the fake Nuke starts with nothing but what it finds, and drives the real sidecar."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from nukestarts import PYTHONS, start, void
from pythons import ROOT

COMMANDS = ["VoidRemove", "Run selected", "Run all stale", "Cancel all", "Panel"]


@pytest.fixture
def python(void_python: str) -> str:
    """A Python in which this checkout is installed, as a person has it."""
    return void_python


def installed(home: Path, python: str, *more: str) -> Path:
    """The Nuke folder of a home, with the plug-in in it."""
    home.mkdir(parents=True)
    done = void(home, python, "nuke", "install", "--json", *more)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["python"] == python
    return Path(told["nuke_dir"])


def runs(told: dict[str, Any], folder: Path) -> None:
    """Checks that a Nuke found the plug-in of this folder, and nothing but its host half, and reached the sidecar."""
    assert told["printed"] == [] and told["pong"] == {}
    assert Path(told["file"]) == folder / "void_plugin" / "hosts" / "nuke_host.py"
    assert "void_plugin.hosts.nuke_api" in told["loaded"] or not told["menus"]
    assert not {"void_plugin.client", "void_plugin.wire", "void_plugin.sidecar", "void_plugin.cli"} & {*told["loaded"]}


# -- for one user --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["home", "my höme 日本 'x'"])
@pytest.mark.parametrize("version", PYTHONS)
def test_nuke_starts_with_the_menu_and_the_sidecar_answers(
    version: str, name: str, python: str, tmp_path: Path
) -> None:
    home = tmp_path / name
    nuke = installed(home, python)
    assert nuke == home / ".nuke"
    (nuke / "init.py").write_bytes(b"import nuke\nmine = 'here'\n" + (nuke / "init.py").read_bytes())
    told = start(tmp_path / "gui", home, version)
    runs(told, nuke / "void_plugin")
    assert told["menus"] == ["VOID"] and told["commands"] == COMMANDS
    assert told["path"][:2] == [str(nuke / "void_plugin"), str(nuke)]


@pytest.mark.parametrize("version", PYTHONS)
def test_on_a_farm_nothing_of_ours_is_loaded_before_it_is_asked_for(version: str, python: str, tmp_path: Path) -> None:
    nuke = installed(tmp_path / "home", python)
    told = start(tmp_path / "farm", tmp_path / "home", version, gui=False)
    assert told["loaded"] == []
    runs(told, nuke / "void_plugin")


@pytest.mark.parametrize("version", PYTHONS)
@pytest.mark.parametrize("broken", ["bridge.py", "hosts/nuke_host.py"])
def test_whatever_of_ours_is_broken_prints_one_line_and_nuke_starts(
    broken: str, version: str, python: str, tmp_path: Path
) -> None:
    nuke = installed(tmp_path / "home", python)
    (nuke / "void_plugin" / "void_plugin" / broken).write_text("import gone\n")
    told = start(tmp_path / "gui", tmp_path / "home", version)
    assert told["printed"] == [
        "void_plugin: the menu VOID is missing: ModuleNotFoundError: No module named 'gone'"
    ]  # fmt: skip
    assert start(tmp_path / "farm", tmp_path / "home", version, gui=False)["printed"] == []


@pytest.mark.parametrize("version", PYTHONS)
def test_where_nuke_refuses_our_folder_it_prints_one_line_and_starts(version: str, python: str, tmp_path: Path) -> None:
    nuke = installed(tmp_path / "home", python)
    init = nuke / "init.py"
    init.write_text(init.read_text().replace("pluginAddPath(", "pluginAddPath(1, 2, 3, ") + "print('the next line')\n")
    told = start(tmp_path / "gui", tmp_path / "home", version)
    assert len(told["printed"]) == 2 and told["printed"][0].startswith("void_plugin: not loaded: ")
    assert told["printed"][1] == "the next line" and told["menus"] == []


def test_without_the_folder_nuke_starts_as_if_nothing_had_been(python: str, tmp_path: Path) -> None:
    nuke = installed(tmp_path / "home", python)
    shutil.rmtree(nuke / "void_plugin")
    told = start(tmp_path / "gui", tmp_path / "home", "3.11")
    assert told["printed"] == [] and told["menus"] == []


def test_after_uninstalling_nuke_knows_nothing_of_us(python: str, tmp_path: Path) -> None:
    nuke = installed(tmp_path / "home", python)
    start(tmp_path / "before", tmp_path / "home", "3.11", environment={"PYTHONDONTWRITEBYTECODE": ""})
    assert list((nuke / "void_plugin").rglob("*.pyc")), "Nuke's Python keeps what it compiles"
    done = void(tmp_path / "home", python, "nuke", "uninstall")
    assert done.returncode == 0 and list(nuke.iterdir()) == [], done.stdout + done.stderr
    told = start(tmp_path / "after", tmp_path / "home", "3.11")
    assert told["menus"] == [] and told["printed"] == [] and told["loaded"] == []


def test_a_new_version_runs_at_the_next_start_and_carries_no_old_module_along(python: str, tmp_path: Path) -> None:
    nuke = installed(tmp_path / "home", python)
    ours = nuke / "void_plugin"
    receipt = json.loads((ours / "installed.json").read_text())
    # An earlier version: its menu raises, and it has a module that there is no more.
    for name, text in (("menu.py", "raise SystemExit\n"), ("void_plugin/grpc_in_host.py", "import grpc\n")):
        (ours / name).write_text(text)
        receipt["files"][name] = sha256(text.encode()).hexdigest()
    (ours / "installed.json").write_text(json.dumps({**receipt, "version": "0.0.1"}))
    done = void(tmp_path / "home", python, "nuke", "install")
    assert done.returncode == 0 and "in place of 0.0.1" in done.stdout
    runs(start(tmp_path / "gui", tmp_path / "home", "3.11"), ours)
    assert not (ours / "void_plugin" / "grpc_in_host.py").exists()


# -- for a studio --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel and the source archive that this tree makes."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    tracked = ("pyproject.toml", "README.md", "CHANGELOG.md", "Makefile", "constraints.txt")
    for name in tracked:
        shutil.copy(ROOT / name, source)
    for name in ("void_plugin", "server", "nuke", "resolve"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    # In a child: the backend changes its working folder.
    script = f"from hatchling import build; print(build.build_wheel({str(out)!r}), build.build_sdist({str(out)!r}))"
    made = subprocess.check_output([sys.executable, "-c", script], cwd=source, text=True).split()[-2:]
    return {"wheel": out / made[0], "source": out / made[1]}


@pytest.mark.parametrize("version", PYTHONS)
def test_unpacked_on_a_share_two_variables_are_all_it_takes(
    version: str, archives: dict[str, Path], python: str, tmp_path: Path
) -> None:
    share = tmp_path / "the share ü"
    with tarfile.open(archives["source"]) as archive:
        archive.extractall(share, filter="data")
    (unpacked,) = share.iterdir()
    variables = {"NUKE_PATH": os.pathsep.join([str(tmp_path / "other"), str(unpacked / "nuke")])}
    variables["VOID_PLUGIN_PYTHON"] = python
    told = start(tmp_path / "gui", tmp_path / "home", version, environment=variables)
    runs(told, unpacked)
    assert told["menus"] == ["VOID"] and told["commands"] == COMMANDS
    farm = start(tmp_path / "farm", tmp_path / "home", version, gui=False, environment=variables)
    assert farm["loaded"] == []
    runs(farm, unpacked)
    assert not (tmp_path / "home" / ".nuke").exists()


def test_what_install_made_can_be_put_on_a_share_too(python: str, tmp_path: Path) -> None:
    nuke = installed(tmp_path / "td", python, "--nuke-dir", str(tmp_path / "td" / "made here"))
    shutil.move(nuke / "void_plugin", tmp_path / "on the share")
    variables = {"NUKE_PATH": str(tmp_path / "on the share"), "VOID_PLUGIN_PYTHON": python}
    told = start(tmp_path / "gui", tmp_path / "home", "3.11", environment=variables)
    runs(told, tmp_path / "on the share")
    assert told["menus"] == ["VOID"]


def test_a_user_with_an_installation_of_their_own_gets_one_menu(
    archives: dict[str, Path], python: str, tmp_path: Path
) -> None:
    installed(tmp_path / "home", python)
    with tarfile.open(archives["source"]) as archive:
        archive.extractall(tmp_path / "share", filter="data")
    (unpacked,) = (tmp_path / "share").iterdir()
    told = start(tmp_path / "gui", tmp_path / "home", "3.11", environment={"NUKE_PATH": str(unpacked / "nuke")})
    assert told["menus"] == ["VOID"] and told["commands"] == COMMANDS and told["printed"] == []
    assert told["pong"] == {}


# -- from the wheel ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", PYTHONS)
def test_the_wheel_holds_all_that_installing_takes(version: str, archives: dict[str, Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(archives["wheel"]) as archive:
        archive.extractall(tmp_path / "unpacked")
    venv.EnvBuilder(symlinks=os.name != "nt", with_pip=False).create(tmp_path / "venv")
    python = str(tmp_path / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    find = [python, "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.check_output(find, text=True).strip())
    # What pip would have brought along; its folder is not searched for links to a checkout.
    (site / "wheel.pth").write_text(f"{tmp_path / 'unpacked'}\n{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    nuke = installed(tmp_path / "home", python)
    told = start(tmp_path / "gui", tmp_path / "home", version)
    runs(told, nuke / "void_plugin")
    assert told["menus"] == ["VOID"]
