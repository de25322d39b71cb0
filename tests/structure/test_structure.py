"""Rules about the shape of this repository that no unit test would notice being broken."""

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from void_plugin.errors import CODES

ROOT = Path(__file__).parents[2]
PACKAGES = {"void_plugin": ROOT / "void_plugin", "void_server": ROOT / "server" / "void_server"}
GROUND = ("errors", "frames", "settings", "request", "events", "config")
HOST_HALF = (
    *("bridge", "childprocess", "endings", "hostanswers", "launch", "lineprotocol", "sidecarprocess"),
    *(
        f"hosts.{path.stem}"
        for path in sorted((ROOT / "void_plugin" / "hosts").glob("*.py"))
        if path.stem != "__init__"
    ),
)
"""What runs inside a host above the ground."""
NUKE = "hosts.nuke_api"
"""The only module that knows Nuke's own."""
HOST_FOLDERS = ("nuke", "resolve", "server", "proto")


def modules(package: Path) -> list[Path]:
    """The files people write; those in v1/ are generated."""
    return sorted(path for path in package.rglob("*.py") if path.parent.name != "v1")


SOURCES = [path for package in PACKAGES.values() for path in modules(package)]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def tracked_files() -> list[Path]:
    """The files of the commit, or every file of an unpacked archive."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
        return [ROOT / name for name in listed if name and (ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file() and ".venv" not in path.parts]


def imported(module: ast.Module) -> Iterator[str]:
    """Names of all modules that a file imports, at any depth, also by `importlib.import_module("…")`."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__", "find_spec") and isinstance(node.args[0].value, str):
                yield node.args[0].value


# -- the ground can be imported in any host -------------------------------------------------------------------


@pytest.fixture(scope="module")
def ground_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ground files copied into an empty folder, as an installer copies them to a host."""
    folder = tmp_path_factory.mktemp("host")
    (folder / "void_plugin").mkdir()
    for name in ("__init__", *GROUND):
        shutil.copy(PACKAGES["void_plugin"] / f"{name}.py", folder / "void_plugin")
    return folder


@pytest.mark.parametrize("name", GROUND)
def test_the_ground_is_importable_alone_and_loads_only_the_standard_library(ground_alone: Path, name: str) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(ground_alone)!r}); before = set(sys.modules)\n"
        f"import void_plugin.{name}\n"
        "print(*(name.partition('.')[0] for name in set(sys.modules) - before))"
    )
    loaded = subprocess.check_output([sys.executable, "-S", "-I", "-c", script], text=True).split()
    assert set(loaded) - {"void_plugin"} <= sys.stdlib_module_names


def test_importing_the_ground_touches_no_file_variable_or_process(ground_alone: Path) -> None:
    script = f"""
import sys
sys.path.insert(0, {str(ground_alone)!r})
import dataclasses, hashlib, json, os, re, shlex, typing, uuid  # what the ground takes from the standard library
seen = []
allowed = {{"import", "compile", "exec", "marshal.loads", "os.listdir", "os.scandir", "sys._getframe",
            "object.__getattr__", "object.__setattr__", "object.__delattr__", "builtins.id", "code.__new__"}}
def watch(event, arguments):
    ours = event == "open" and str(arguments[0]).startswith({str(ground_alone)!r})
    if event not in allowed and not ours:
        seen.append((event, arguments))
sys.addaudithook(watch)
environment = dict(os.environ)
sys.dont_write_bytecode = True
import void_plugin.{", void_plugin.".join(GROUND)}
assert not seen, seen
assert dict(os.environ) == environment
"""
    subprocess.run([sys.executable, "-S", "-I", "-c", script], check=True)


@pytest.mark.parametrize("name", ("void_plugin.serverjob", "void_server.serve"))
def test_what_starts_another_process_first_loads_grpc_only_while_that_loads(name: str) -> None:
    script = f"import sys, {name}; print(*{{'grpc', 'google.protobuf'}} & set(sys.modules))"
    assert not subprocess.check_output([sys.executable, "-c", script], text=True).split()


@pytest.mark.parametrize("name", ("__init__", *GROUND, "hosts.__init__", *HOST_HALF))
def test_the_ground_and_the_host_half_are_written_for_the_oldest_host(name: str) -> None:
    source = host_file(name).read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 7))
    assert "from __future__ import annotations" not in source, "dataclasses would not find their types"


def host_file(name: str) -> Path:
    return PACKAGES["void_plugin"] / f"{name.replace('.', '/')}.py"


@pytest.mark.parametrize("name", ("hosts.__init__", *HOST_HALF))
def test_the_host_half_imports_the_standard_library_and_itself(name: str) -> None:
    found = set(imported(tree(host_file(name))))
    ours = {item.removeprefix("void_plugin.") for item in found if item.startswith("void_plugin.")}
    assert ours <= {"hosts", *GROUND, *HOST_HALF}
    foreign = {item.partition(".")[0] for item in found} - sys.stdlib_module_names - {"void_plugin"}
    assert foreign == ({"nuke"} if name == NUKE else set())


@pytest.mark.parametrize("path", sorted((ROOT / "nuke").glob("*.py")), ids=named)
def test_what_nuke_runs_at_its_start_is_short_and_written_for_the_oldest_host(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 7))
    assert len(source.splitlines()) < 40
    assert {item.partition(".")[0] for item in imported(ast.parse(source))} <= {"os", "sys", "void_plugin"}


# -- who may import whom (chains are import-linter's; these hold without it) ----------------------------------


@pytest.mark.parametrize("path", modules(PACKAGES["void_plugin"]), ids=named)
def test_the_client_never_imports_the_server(path: Path) -> None:
    assert not [name for name in imported(tree(path)) if name.partition(".")[0] == "void_server"]


@pytest.mark.parametrize("path", modules(PACKAGES["void_server"]), ids=named)
def test_the_server_takes_only_the_ground_and_the_wire_from_the_client(path: Path) -> None:
    taken = {name for name in imported(tree(path)) if name.partition(".")[0] == "void_plugin"}
    allowed = {"void_plugin", *(f"void_plugin.{name}" for name in (*GROUND, "hashing", "heap", "wire", "v1"))}
    assert {name for name in taken if not name.startswith("void_plugin.v1.")} <= allowed


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_nobody_finds_out_which_host_runs_by_importing_it(path: Path) -> None:
    # Outside Nuke, `import nuke` succeeds with an empty namespace as soon as our checkout is on the path.
    hosts = {"nuke", "nukescripts", "DaVinciResolveScript", "fusionscript"}
    if path == host_file(NUKE):  # imported by what only runs inside Nuke
        hosts.remove("nuke")
    assert not hosts & {name.partition(".")[0] for name in imported(tree(path))}


@pytest.mark.parametrize("folder", HOST_FOLDERS)
def test_a_folder_beside_the_packages_is_no_package(folder: str) -> None:
    assert not (ROOT / folder / "__init__.py").exists(), "it would shadow the real module of that name"


# -- what is installed ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names of the files in the wheel that this tree makes."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "void_plugin", "server", *HOST_FOLDERS):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, dirs_exist_ok=True)
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, source)
    # In a child: the backend changes its working folder and warns about what is none of our tests' business.
    script = f"import hatchling.build; print(hatchling.build.build_wheel({str(out)!r}))"
    made = subprocess.check_output([sys.executable, "-c", script], cwd=source, text=True).split()[-1]
    with zipfile.ZipFile(out / made) as archive:
        return archive.namelist()


def test_the_wheel_installs_two_packages_and_nothing_else_at_top_level(wheel: list[str]) -> None:
    top = {name.partition("/")[0] for name in wheel}
    assert {name for name in top if not name.endswith(".dist-info")} == {"void_plugin", "void_server"}


def test_the_wheel_holds_every_module_and_the_host_folders_as_data(wheel: list[str]) -> None:
    for name, package in PACKAGES.items():
        for path in modules(package):
            assert f"{name}/{path.relative_to(package).as_posix()}" in wheel
    for folder in ("nuke", "resolve"):
        assert f"void_plugin/{folder}/README.md" in wheel
        assert f"void_plugin/{folder}/__init__.py" not in wheel
    assert not [name for name in wheel if "__pycache__" in name]


def test_both_commands_are_installed(wheel: list[str]) -> None:
    assert [name for name in wheel if name.endswith(".dist-info/entry_points.txt")]


def test_every_package_that_is_imported_is_a_stated_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    stated = {re.split(r"[\[<>=~! ]", name)[0].lower().replace("_", "-") for name in wanted}
    installed = importlib.metadata.packages_distributions()
    # The script that runs in OpenCue's own Python imports what is installed there.
    ours = [path for path in SOURCES if path.name != "opencue_child.py"]
    used = {name.partition(".")[0] for path in ours for name in imported(tree(path))}
    used.remove("nuke")  # the host's own
    for module in used - sys.stdlib_module_names - {"void_plugin", "void_server"}:
        # One that is not installed here is taken to be called like its module.
        assert stated & {name.lower().replace("_", "-") for name in installed.get(module, [module])}, module


# -- how it is written ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_public_modules_classes_and_functions_say_what_they_give(path: Path) -> None:
    module = tree(path)
    silent = [] if ast.get_docstring(module) else ["the module"]
    for node in module.body:
        public = isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
        if public and not ast.get_docstring(node):
            silent.append(node.name)
    assert not silent


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_nothing_catches_everything_in_silence(path: Path) -> None:
    bare = [node.lineno for node in ast.walk(tree(path)) if isinstance(node, ast.ExceptHandler) and node.type is None]
    assert not bare


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_every_error_code_that_is_raised_is_in_the_table(path: Path) -> None:
    families = {code.partition(".")[0] for code in CODES}
    errors = {row.error.__name__ for row in CODES.values()}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in errors:
            words = [part.value for part in node.args[1:] if isinstance(part, ast.Constant)]
            codes = {word for word in words if isinstance(word, str) and word.partition(".")[0] in families}
            assert codes <= set(CODES), f"line {node.lineno}"


def test_no_file_names_a_place_that_exists_on_one_machine_only() -> None:
    # Not a bare "/root" or "/work": those are words of paths in other systems' documents.
    place = re.compile(rb"""(?:^|[\s"'`(=:])/(?:work|farm|root|home|Users)/[A-Za-z0-9_.-]""", re.MULTILINE)
    found = []
    for path in tracked_files():
        data = path.read_bytes()
        if b"\0" not in data[:1024] and path != Path(__file__) and place.search(data):
            found.append(named(path))
    assert not found


def test_what_ci_runs_is_what_a_person_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.splitlines()[-1] == "exec make test"


@pytest.mark.parametrize(
    ("user", "has_apt", "wanted"),
    [
        (
            0,
            True,
            [
                "apt-get update",
                "apt-get install slurmctld slurmd slurm-client time xvfb libegl1 libxcb-cursor0 libxcb-icccm4 "
                "libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxkbcommon-x11-0",
                "make test, slurm required",
            ],
        ),
        (0, False, ["make test"]),
        (1000, True, ["make test"]),
    ],
)
def test_ci_installs_what_queues_and_windows_need_where_it_can_and_only_there_insists_on_slurm(
    user: int, has_apt: bool, wanted: list[str], tmp_path: Path
) -> None:
    programs = {"id": f"echo {user}", "make": 'echo "make $*${VOID_REQUIRE:+, $VOID_REQUIRE required}" >>"$SAID"'}
    if has_apt:
        programs["apt-get"] = 'echo "apt-get $*" >>"$SAID"'
    for name, line in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    dirname = shutil.which("dirname")
    assert dirname is not None
    (tmp_path / "dirname").symlink_to(dirname)
    said = tmp_path / "said"
    done = subprocess.run(["/bin/sh", ROOT / ".ci/run"], env={"PATH": str(tmp_path), "SAID": str(said)}, check=False)
    assert done.returncode == 0
    words = [[word for word in line.split() if not word.startswith("-")] for line in said.read_text().splitlines()]
    assert [" ".join(line) for line in words] == wanted


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_nothing_that_runs_what_it_reads_is_used(path: Path) -> None:
    # What comes from files and from the wire must never become code.
    dangerous = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "xml", "yaml"}
    assert not dangerous & {name.partition(".")[0] for name in imported(tree(path))}
