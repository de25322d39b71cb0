"""How a script gets hold of Resolve: from the names that a menu script is given, or from outside.

From outside it loads Blackmagic's own library, which on Windows ends a Python that it does not like without a word, so
that one is refused before.
"""

import contextlib
import ctypes
import importlib
import os
import socket
import sys
from typing import Any, Dict, List, Mapping, MutableMapping, Optional

from void_plugin.errors import HostError
from void_plugin.hosts.resolve_api import Resolve
from void_plugin.hosts.resolve_calls import CODE

API, LIBRARY = "RESOLVE_SCRIPT_API", "RESOLVE_SCRIPT_LIB"
MODULE = "DaVinciResolveScript"
_MAC = "/Library/Application Support/Blackmagic Design/DaVinci Resolve/Developer/Scripting"
_MAC_LIBRARY = "/Applications/DaVinci Resolve/DaVinci Resolve.app/Contents/Libraries/Fusion/fusionscript.so"
_LINUX_PARENTS = ("/opt", "/home")
"""Where the folder `resolve` is; the second on systems that Blackmagic's own installer has set up."""


def from_menu(scope: Mapping[str, Any]) -> Optional[Resolve]:
    """Resolve by the names that a script of its menu or console is given; None outside of it."""
    raw = scope.get("resolve")
    for name in ("app", "fusion", "fu"):
        if raw is None and scope.get(name) is not None:
            raw = _called(getattr(scope[name], "GetResolve", None))
    if raw is None and scope.get("bmd") is not None:
        raw = _called(getattr(scope["bmd"], "scriptapp", None), "Resolve")
    return Resolve(raw) if raw is not None else None


def _called(function: Any, *arguments: Any) -> Any:
    return function(*arguments) if callable(function) else None


def from_outside(environment: MutableMapping[str, str], platform: str = sys.platform) -> Resolve:
    """The running Resolve, from a process of its own. Raises HostError.

    `environment` gets what Blackmagic's library looks for where that is not set.
    """
    if platform == "win32":
        check_windows_python(sys.base_prefix, registered_pythons(), sys.version_info[:2])
    for name, value in script_places(environment, platform).items():
        environment.setdefault(name, value)
    modules = os.path.join(environment[API], "Modules")
    if modules not in sys.path:
        sys.path.append(modules)
    try:
        module = importlib.import_module(MODULE)
    except ImportError as error:
        raise HostError(
            "Resolve's scripting library cannot be loaded from {} ({}); install DaVinci Resolve Studio, or name the "
            "folder in ${} and the library in ${}.".format(modules, error, API, LIBRARY),
            CODE,
        ) from error
    raw = module.scriptapp("Resolve")
    if raw is None and platform == "darwin":
        raw = next(filter(None, (module.scriptapp("Resolve", address) for address in own_addresses())), None)
    if raw is None:
        raise HostError(
            "No Resolve answers scriptapp('Resolve'); start DaVinci Resolve Studio, and set Preferences > System > "
            "General > External scripting using to Local. The free edition answers nobody: export the timeline as "
            ".otio there and use `void otio`.",
            CODE,
        )
    return Resolve(raw)


def script_places(environment: Mapping[str, str], platform: str) -> Dict[str, str]:
    """Where this system has Resolve's scripting files unless the user says otherwise."""
    if platform == "win32":
        data = environment.get("PROGRAMDATA") or "C:\\ProgramData"
        programs = environment.get("PROGRAMFILES") or "C:\\Program Files"
        return {
            API: data + "\\Blackmagic Design\\DaVinci Resolve\\Support\\Developer\\Scripting",
            LIBRARY: programs + "\\Blackmagic Design\\DaVinci Resolve\\fusionscript.dll",
        }
    if platform == "darwin":
        return {API: _MAC, LIBRARY: _MAC_LIBRARY}
    roots = [parent + "/resolve" for parent in _LINUX_PARENTS]
    root = next((path for path in roots if os.path.isdir(path)), roots[0])
    return {API: root + "/Developer/Scripting", LIBRARY: root + "/libs/Fusion/fusionscript.so"}


def own_addresses() -> List[str]:
    """Addresses of this machine: on macOS Resolve may listen on one of them rather than on the local one."""
    found: List[str] = []
    with contextlib.suppress(OSError):  # the machine's name may lead nowhere
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    return sorted({"127.0.0.1", *found})


# -- the interpreter -------------------------------------------------------------------------------------------


def check_windows_python(prefix: str, registered: List[str], version: Any) -> None:
    """Raises HostError for a Python that is not registered with Windows, as those of python.org are.

    fusionscript.dll ends others (of uv, of conda) with an access violation that nothing can catch.
    """

    def plain(path: str) -> str:
        return path.replace("/", "\\").rstrip("\\").lower()

    if plain(prefix) not in [plain(path) for path in registered]:
        raise HostError(
            "The Python in {} is not registered with Windows, and Resolve's library may end such a one without a word; "
            "install Python {}.{} from python.org and name it with --python.".format(prefix, *version),
            CODE,
        )


def registered_pythons() -> List[str]:
    """Folders of the Pythons that Windows knows (PEP 514); none elsewhere."""
    try:
        registry: Any = importlib.import_module("winreg")
    except ImportError:
        return []
    found = []
    for hive in (registry.HKEY_LOCAL_MACHINE, registry.HKEY_CURRENT_USER):
        for tag in _names(registry, hive, "Software\\Python\\PythonCore"):
            try:
                key = registry.OpenKey(hive, "Software\\Python\\PythonCore\\{}\\InstallPath".format(tag))
                found.append(str(registry.QueryValue(key, None)))
            except OSError:  # a tag without a folder
                continue
    return found


def _names(registry: Any, hive: Any, path: str) -> List[str]:
    try:
        key = registry.OpenKey(hive, path)
        return [str(registry.EnumKey(key, index)) for index in range(registry.QueryInfoKey(key)[0])]
    except OSError:
        return []


def is_inside(executable: str) -> bool:
    """True where this very process is Resolve itself, which then must not be held up.

    Usually a menu script runs in a child called fuscript. Where the program is not known, it is taken for Resolve.
    """
    name = executable.replace("\\", "/").rsplit("/", 1)[-1].lower()
    return not name or name in ("resolve", "resolve.exe", "davinci resolve")


def own_executable(platform: str = sys.platform) -> str:
    """Path of the program that this process runs, which need not be a Python; empty where it cannot be told."""
    try:
        if platform == "win32":
            text = ctypes.create_unicode_buffer(32768)
            ctypes.windll.kernel32.GetModuleFileNameW(None, text, len(text))  # type: ignore[attr-defined, unused-ignore]
            return text.value
        if platform == "darwin":
            size = ctypes.c_uint32(4096)
            path = ctypes.create_string_buffer(size.value)
            failed = ctypes.CDLL(None)._NSGetExecutablePath(path, ctypes.byref(size))
            return "" if failed else os.fsdecode(path.value)
        return os.readlink("/proc/self/exe")
    except (OSError, AttributeError):
        return ""
