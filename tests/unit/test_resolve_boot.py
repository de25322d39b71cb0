"""How a script gets hold of Resolve: from its menu, from outside, and not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Bench, scenes
from pythons import ROOT

from void_plugin.errors import HostError
from void_plugin.hosts import resolve_boot as boot
from void_plugin.hosts.resolve_api import Resolve


class App:
    """What a menu script finds as `app` or `bmd`."""

    def __init__(self, resolve: Any) -> None:
        self._resolve = resolve

    def GetResolve(self) -> Any:
        return self._resolve

    def scriptapp(self, name: str) -> Any:
        return self._resolve if name == "Resolve" else None


@pytest.fixture
def resolve(tmp_path: Path) -> Any:
    return Bench(scenes.Scene(tmp_path).data).resolve


# -- from the menu -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resolve", "app", "fusion", "fu", "bmd"])
def test_each_name_that_a_menu_script_may_have_leads_to_resolve(resolve: Any, name: str) -> None:
    found = boot.from_menu({name: resolve if name == "resolve" else App(resolve)})
    assert isinstance(found, Resolve)
    assert found.product() == "DaVinci Resolve Studio"


def test_a_name_that_leads_nowhere_is_passed_over(resolve: Any) -> None:
    assert boot.from_menu({"app": App(None), "bmd": App(resolve)}).is_studio()


def test_outside_of_resolve_there_are_no_such_names() -> None:
    assert boot.from_menu({}) is None
    assert boot.from_menu({"resolve": None, "app": None, "bmd": object()}) is None


# -- from outside ------------------------------------------------------------------------------------------------

MODULE = """
def scriptapp(name, address=None):
    open({notes!r}, "a").write("{{}} {{}}\\n".format(name, address))
    return {answer}
"""
PROBE = """
import os, sys
from void_plugin.errors import HostError
from void_plugin.hosts.resolve_boot import from_outside
try:
    print(from_outside(os.environ, sys.argv[1]).raw)
except HostError as error:
    print(error.message)
"""


def outside(folder: Path, answer: str, platform: str = "linux", module: bool = True) -> tuple[str, list[str]]:
    """What a process of its own says, whose DaVinciResolveScript answers so, and what that was asked."""
    modules = folder / "api" / "Modules"
    modules.mkdir(parents=True)
    notes = folder / "notes"
    notes.write_text("")
    if module:
        (modules / "DaVinciResolveScript.py").write_text(
            textwrap.dedent(MODULE).format(notes=str(notes), answer=answer)
        )
    environment = {**os.environ, boot.API: str(folder / "api"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROBE, platform]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip(), notes.read_text().splitlines()


def test_resolves_own_module_is_loaded_from_where_the_user_says(tmp_path: Path) -> None:
    assert outside(tmp_path, "'the application'") == ("the application", ["Resolve None"])


def test_a_resolve_that_does_not_answer_is_told_of_with_the_preference(tmp_path: Path) -> None:
    said, asked = outside(tmp_path, "None")
    assert "External scripting using to Local" in said
    assert "void otio" in said
    assert asked == ["Resolve None"]


def test_on_macos_the_addresses_of_the_machine_are_tried_too(tmp_path: Path) -> None:
    said, asked = outside(tmp_path, "'by address' if address == '127.0.0.1' else None", "darwin")
    assert said == "by address"
    assert asked[0] == "Resolve None"
    assert asked[-1] == "Resolve 127.0.0.1"


def test_a_machine_without_resolve_is_told_what_to_install(tmp_path: Path) -> None:
    said, _ = outside(tmp_path, "", module=False)
    assert "install DaVinci Resolve Studio" in said
    assert str(tmp_path / "api") in said


@pytest.mark.parametrize(
    ("platform", "environment", "api", "library"),
    [
        (
            "win32",
            {"PROGRAMDATA": "D:\\Data", "PROGRAMFILES": "D:\\Programs"},
            "D:\\Data\\Blackmagic Design\\DaVinci Resolve\\Support\\Developer\\Scripting",
            "D:\\Programs\\Blackmagic Design\\DaVinci Resolve\\fusionscript.dll",
        ),
        (
            "darwin",
            {},
            "/Library/Application Support/Blackmagic Design/DaVinci Resolve/Developer/Scripting",
            "/Applications/DaVinci Resolve/DaVinci Resolve.app/Contents/Libraries/Fusion/fusionscript.so",
        ),
        ("linux", {}, "/opt/resolve/Developer/Scripting", "/opt/resolve/libs/Fusion/fusionscript.so"),
    ],
)
def test_each_system_has_its_own_places(platform: str, environment: dict[str, str], api: str, library: str) -> None:
    assert boot.script_places(environment, platform) == {boot.API: api, boot.LIBRARY: library}


# -- the interpreter ---------------------------------------------------------------------------------------------


def test_a_python_that_windows_knows_may_load_the_library() -> None:
    boot.check_windows_python("C:\\Python312", ["C:/Python311/", "c:/python312/"], (3, 12))


def test_a_python_that_windows_does_not_know_is_refused_before_it_dies() -> None:
    with pytest.raises(HostError, match=r"uv.*not registered.*install Python 3\.11 from python\.org"):
        boot.check_windows_python("C:\\uv\\cpython-3.11", ["C:/Python311/"], (3, 11))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has a registry")
def test_without_a_registry_no_python_is_registered() -> None:
    assert boot.registered_pythons() == []


@pytest.mark.parametrize(
    ("executable", "inside"),
    [
        ("/opt/resolve/bin/resolve", True),
        ("C:\\Program Files\\Blackmagic Design\\DaVinci Resolve\\Resolve.exe", True),
        ("/Applications/DaVinci Resolve/DaVinci Resolve.app/Contents/MacOS/Resolve", True),
        ("", True),
        ("/opt/resolve/libs/Fusion/fuscript", False),
        ("C:\\Program Files\\Blackmagic Design\\DaVinci Resolve\\fuscript.exe", False),
        ("/usr/bin/python3.11", False),
    ],
)
def test_a_script_knows_whether_it_runs_in_resolve_itself(executable: str, inside: bool) -> None:
    assert boot.is_inside(executable) is inside


def test_the_program_of_this_process_is_known() -> None:
    assert os.path.basename(boot.own_executable()).lower().startswith("python")
