"""Which files go into a host: its start-up scripts and the part of void_plugin that those need, and no others.

The part is found by reading the imports, so that a new module of the host half is never forgotten and nothing of the
client ever comes along.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from void_plugin.errors import HostError

PACKAGE = "void_plugin"
SCRIPTS = {
    "nuke": ("init.py", "menu.py", "void_batch.py"),
    "resolve": (
        "VOID Check Round Trip.py",
        "VOID Collect Results.py",
        "VOID Jobs.py",
        "VOID Panel.py",
        "VOID Remove Object.py",
    ),
}
"""Host folders, and the scripts in each that the host or a user runs."""


def host_files(host: str, package: Path | None = None) -> dict[str, Path]:
    """The files of a host such as `nuke`: where each goes below the plug-in's folder, with slashes, and where it lies.

    `package` is the folder of void_plugin to take them from, by default this one. Raises HostError where it is
    incomplete.
    """
    package = package or Path(__file__).parent
    folder = _host_folder(host, package)
    files = {path.name: path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix in (".py", ".md")}
    for path in host_modules(host, [folder / name for name in SCRIPTS[host]], package):
        files[f"{PACKAGE}/{path.relative_to(package).as_posix()}"] = path
    return files


def host_modules(host: str, scripts: list[Path], package: Path) -> list[Path]:
    """The files of void_plugin that run inside a host: its part of `hosts`, and what that and the scripts import.

    Raises HostError where one of them is missing.
    """
    found: set[Path] = set()
    others = tuple(f"{name}_" for name in SCRIPTS if name != host)
    hosts = [path for path in (package / "hosts").glob("**/*.py") if not path.name.startswith(others)]
    left = [*scripts, package / "__init__.py", *hosts]
    while left:
        path = left.pop()
        if path in found:
            continue
        if not path.is_file():
            raise HostError(f"{path} is missing; install void_plugin anew.", "host.folder")
        found.add(path)
        left += _imported(path, package)
    return sorted(found - set(scripts))


def _imported(path: Path, package: Path) -> Iterator[Path]:
    """The files of void_plugin that a file imports, at any depth of it."""
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_of(alias.name, package)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from _files_of(node.module, package)
            # What is imported from a package is a module of it, or a name inside it.
            for alias in node.names:
                place = package.joinpath(*f"{node.module}.{alias.name}".split(".")[1:])
                if place.is_dir() or place.with_suffix(".py").is_file():
                    yield from _files_of(f"{node.module}.{alias.name}", package)


def _files_of(module: str, package: Path) -> Iterator[Path]:
    parts = module.split(".")
    if parts[0] != PACKAGE:
        return
    for count in range(1, len(parts) + 1):
        place = package.joinpath(*parts[1:count])
        yield place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _host_folder(host: str, package: Path) -> Path:
    """Beside the modules where void_plugin was installed, beside the package in a checkout."""
    for folder in (package / host, package.parent / host):
        if all((folder / name).is_file() for name in SCRIPTS[host]):
            return folder
    raise HostError(
        f"This installation of void_plugin has no folder {host} with {' and '.join(SCRIPTS[host])}; install it anew.",
        "host.folder",
    )
