"""What an installer copies into a host: all that its scripts import, written for every host, and nothing else."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from installedfiles import imported, missing_imports
from nukes import HOST_HALF
from pythons import ROOT

from void_plugin.errors import HostError
from void_plugin.hosthalf import PACKAGE, host_files, host_modules

HOSTS_OWN = {"nuke", "PySide2", "PySide6"}
"""What a host brings itself."""
FILES = host_files("nuke")
MODULES = {name: path for name, path in FILES.items() if path.suffix == ".py" and name.startswith(PACKAGE)}


def test_whatever_an_installed_file_imports_is_installed_with_it_or_part_of_python() -> None:
    assert not missing_imports(FILES, HOSTS_OWN)


def test_every_module_of_our_packages_is_where_an_import_looks_for_it() -> None:
    # `from void_plugin.hosts import story` would pass above even if hosts/story.py were left out.
    for path in MODULES.values():
        for module in imported(path):
            place = ROOT.joinpath(*module.split("."))
            if module.startswith(PACKAGE) and place.with_suffix(".py").is_file():
                assert place.with_suffix(".py") in MODULES.values(), f"{path.name} imports {module}"


def test_all_of_hosts_and_the_start_up_scripts_are_installed_and_nothing_of_the_client() -> None:
    hosts = {path for path in (ROOT / PACKAGE / "hosts").rglob("*.py")}
    assert {path for path in hosts if not path.name.startswith("resolve_")} <= {*MODULES.values()}
    assert not [name for name in MODULES if "resolve" in name]
    assert {"init.py", "menu.py", "void_batch.py", "README.md"} == {name for name in FILES if "/" not in name}
    beside = {Path(name).stem for name in MODULES if "/hosts/" not in name}
    assert beside == {*HOST_HALF}, "tests/nukes.py gives the fake Nuke another host half than the installer"


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".py")])
def test_what_is_installed_is_checked_as_python_37(name: str) -> None:
    ast.parse(FILES[name].read_bytes(), feature_version=(3, 7))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    path = FILES[name].relative_to(ROOT).as_posix()
    targets = project["tool"]["ruff"]["per-file-target-version"]
    assert any(version == "py37" and matches(pattern, path) for pattern, version in targets.items())
    check = re.search(r"/vermin (?:.*\\\n)*.*\n", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert check is not None
    seen = check.group().split()
    assert path in seen or any(path.startswith(f"{folder}/") for folder in seen), "vermin does not see it"


def matches(pattern: str, path: str) -> bool:
    """True for a path that a pattern with `*` and `{a,b}` means."""
    text = re.escape(pattern).replace(r"\*", "[^/]*").replace(r"\{", "(?:").replace(r"\}", ")").replace(",", "|")
    return re.fullmatch(text, path) is not None


def test_a_module_that_is_missing_is_told_and_not_left_out(tmp_path: Path) -> None:
    for name, path in MODULES.items():
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    scripts = [ROOT / "nuke" / "menu.py"]
    assert len(host_modules("nuke", scripts, tmp_path / PACKAGE)) == len(MODULES)
    (tmp_path / PACKAGE / "lineprotocol.py").unlink()
    with pytest.raises(HostError, match=r"lineprotocol\.py is missing"):
        host_modules("nuke", scripts, tmp_path / PACKAGE)
    with pytest.raises(HostError, match="has no folder nuke"):
        host_files("nuke", tmp_path / PACKAGE)


def test_finding_the_files_imports_none_of_them() -> None:
    script = (
        "import sys; from void_plugin.hosthalf import host_files; host_files('nuke')\n"
        "print(*(name for name in sys.modules if name.startswith('void_plugin')))"
    )
    loaded = subprocess.check_output([sys.executable, "-c", script], text=True, cwd=ROOT).split()
    assert {*loaded} == {"void_plugin", "void_plugin.errors", "void_plugin.hosthalf"}
