"""`void resolve install`, `uninstall` and `check`: what they write, what they leave alone, and what they find."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from void_plugin import __version__, cli
from void_plugin.config import load_config
from void_plugin.errors import HostError
from void_plugin.hostfolder import RECEIPT
from void_plugin.hosthalf import SCRIPTS
from void_plugin.resolveinstall import Uninstalled, faults, fusion_folder, install, uninstall

PYTHON = "/opt/void/bin/python"
NAMES = SCRIPTS["resolve"]


@pytest.fixture
def fusion(tmp_path: Path) -> Path:
    """Fusion's folder of a user who has never put a script there; its name is hard to quote."""
    return tmp_path / "my ü 'home'" / "Fusion"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "VOID_CONFIG": str(tmp_path / "config.json")}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_menu_gets_four_scripts_and_what_they_need_lies_beside_it(
    fusion: Path, environment: dict[str, str]
) -> None:
    done = install(fusion, PYTHON, environment)
    assert done.changed == ("folder", "configuration", "menu") and done.replaced == "" and done.kept == ()
    menu = fusion / "Scripts" / "Utility"
    assert sorted(path.name for path in menu.iterdir()) == sorted(NAMES)
    assert sorted(path.name for path in fusion.iterdir()) == ["Scripts", "void_plugin"]
    ours = tree(fusion / "void_plugin")
    assert "void_plugin/hosts/resolve_host.py" in ours and "void_plugin/bridge.py" in ours
    assert not [name for name in ours if "nuke" in name or "live" in name or "client" in name]
    assert load_config(environment).python == PYTHON
    for name in NAMES:
        text = (menu / name).read_text(encoding="ascii")
        assert text.count("FOLDER = ") == 1
        place = next(line for line in text.splitlines() if line.startswith("FOLDER = "))
        assert eval(place.partition("=")[2].partition("  #")[0]) == (fusion / "void_plugin").as_posix()


def test_installed_again_nothing_is_touched_and_an_older_version_is_replaced(
    fusion: Path, environment: dict[str, str]
) -> None:
    install(fusion, PYTHON, environment)
    before = {path: path.stat().st_mtime_ns for path in fusion.rglob("*")}
    assert install(fusion, PYTHON, environment).changed == ()
    assert {path: path.stat().st_mtime_ns for path in fusion.rglob("*")} == before
    make_older(fusion)
    assert [text.partition(" ")[0] for text in faults(fusion)] != []
    done = install(fusion, PYTHON, environment)
    assert (done.replaced, done.changed, done.kept) == ("0.0.1", ("folder", "menu"), ())
    assert list(faults(fusion)) == [] and not (fusion / "void_plugin" / "gone.py").exists()


def make_older(fusion: Path) -> None:
    """Turns what is installed into what an earlier version would have installed."""
    from hashlib import sha256

    ours = fusion / "void_plugin"
    about = json.loads((ours / RECEIPT).read_text())
    older = {name: content + b"# older\n" for name, content in tree(ours).items() if name != RECEIPT}
    older["gone.py"] = b"# gone\n"
    for name, content in older.items():
        (ours / name).write_bytes(content)
        if name in NAMES:
            (fusion / "Scripts" / "Utility" / name).write_bytes(content)
    about.update(version="0.0.1", files={name: sha256(content).hexdigest() for name, content in older.items()})
    (ours / RECEIPT).write_text(json.dumps(about))


def test_scripts_of_others_and_those_that_their_owner_has_changed_stay(
    fusion: Path, environment: dict[str, str]
) -> None:
    menu = fusion / "Scripts" / "Utility"
    menu.mkdir(parents=True)
    (menu / "Theirs.lua").write_text("print('hello')")
    install(fusion, PYTHON, environment)
    (menu / NAMES[0]).write_text("# with my own options\n")
    done = install(fusion, PYTHON, environment)
    assert done.kept == (str(menu / NAMES[0]),) and (menu / NAMES[0]).read_text() == "# with my own options\n"
    gone = uninstall(fusion)
    assert gone == Uninstalled(True, (str(menu / NAMES[0]),))
    assert sorted(path.name for path in menu.iterdir()) == sorted(["Theirs.lua", NAMES[0]])
    assert not (fusion / "void_plugin").exists()


def test_a_script_of_the_same_name_that_is_not_ours_is_refused_before_anything_is_written(
    fusion: Path, environment: dict[str, str]
) -> None:
    menu = fusion / "Scripts" / "Utility"
    menu.mkdir(parents=True)
    (menu / NAMES[1]).write_text("# theirs\n")
    with pytest.raises(HostError, match="was not made by void resolve install"):
        install(fusion, PYTHON, environment)
    assert tree(fusion) == {f"Scripts/Utility/{NAMES[1]}": b"# theirs\n"}
    assert not Path(environment["VOID_CONFIG"]).exists()


@pytest.mark.parametrize("before", [(), ("Scripts",), ("Scripts/Utility",)])
def test_taken_out_again_everything_is_as_it_was(
    before: tuple[str, ...], fusion: Path, environment: dict[str, str]
) -> None:
    fusion.mkdir(parents=True)
    for name in before:
        (fusion / name).mkdir(parents=True)
    folders = sorted(fusion.rglob("*"))
    install(fusion, PYTHON, environment)
    make_older(fusion)
    install(fusion, PYTHON, environment)
    cache = fusion / "void_plugin" / "void_plugin" / "hosts" / "__pycache__"
    cache.mkdir()
    (cache / "resolve_host.cpython-310.pyc").write_bytes(b"left by Resolve")
    assert uninstall(fusion) == Uninstalled(True, ())
    assert sorted(fusion.rglob("*")) == folders
    assert uninstall(fusion) == Uninstalled(False, ())


def test_what_is_wrong_with_an_installation_is_named(fusion: Path, environment: dict[str, str]) -> None:
    assert "are not installed" in next(faults(fusion))
    install(fusion, PYTHON, environment)
    assert list(faults(fusion)) == []
    menu = fusion / "Scripts" / "Utility"
    (menu / NAMES[0]).unlink()
    (menu / NAMES[1]).write_text("# mine\n")
    (fusion / "void_plugin" / "void_plugin" / "bridge.py").write_text("# mine\n")
    texts = list(faults(fusion))
    assert [text for text in texts if "was changed" in text] and [text for text in texts if "is missing" in text]
    assert len(texts) == 3 and all("void resolve install" in text for text in texts)


FOLDERS = {
    ("linux", False): "/homes/ann/.local/share/DaVinciResolve/Fusion",
    ("linux", True): "/opt/resolve/Fusion",
    ("darwin", False): "/homes/ann/Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion",
    ("darwin", True): "/Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion",
    ("win32", False): "/roaming/Blackmagic Design/DaVinci Resolve/Support/Fusion",
    ("win32", True): "/data/Blackmagic Design/DaVinci Resolve/Fusion",
}


@pytest.mark.parametrize("system", FOLDERS)
def test_the_menu_is_where_each_system_has_it(system: tuple[str, bool]) -> None:
    platform, everybody = system
    environment = {"HOME": "/homes/ann", "APPDATA": "/roaming", "PROGRAMDATA": "/data"}
    assert fusion_folder(None, everybody, environment, platform).as_posix() == FOLDERS[system]
    assert fusion_folder("/elsewhere/Fusion/Scripts", everybody, environment, platform) == Path("/elsewhere/Fusion")


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_commands_install_look_and_take_out(
    tmp_path: Path, void_python: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("VOID_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VOID_CONFIG", str(tmp_path / "config.json"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    scripts = ("--scripts-dir", str(tmp_path / "Fusion" / "Scripts"))
    (tmp_path / "config.json").write_text("{}")
    assert cli.main(["resolve", "check", *scripts, "--json"]) == 1
    wrong = json.loads(capsys.readouterr().out)
    assert not wrong["ok"] and len(wrong["faults"]) == 2
    assert cli.main(["resolve", "install", *scripts, "--python", void_python, "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["version"] == __version__ and done["python"] == void_python and done["seconds_to_answer"] > 0
    assert cli.main(["resolve", "install", *scripts, "--python", void_python]) == 0
    assert "as it was" in capsys.readouterr().out
    assert cli.main(["resolve", "check", *scripts]) == 0
    assert "yes" in capsys.readouterr().out
    assert cli.main(["resolve", "uninstall", *scripts]) == 0
    assert "what is ours removed" in capsys.readouterr().out
    assert not (tmp_path / "Fusion" / "void_plugin").exists()
