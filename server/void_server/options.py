"""Reads what `void-server serve` is told: flags and one TOML file, checked once, before anything is opened.

A flag wins over the file, the file over the default. A key that does not exist or a value that cannot be used is an
error that names it, so that a typing mistake never leaves a server open wider than its owner meant.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from void_plugin.config import CHOICES, byte_count, state_folder
from void_plugin.errors import RequestError
from void_server.settings import NAME, IdentitySettings, Limits, PathMapping, ServerSettings, source_of

SOCKET_PATH_BYTES = 107
"""The longest path of a unix socket that the kernel takes."""

# -- one value of a flag or of the file ---------------------------------------------------------------------------


class _Unusable(ValueError):
    """Says what a value must be."""


def _whole(least: int) -> Callable[[Any, str], int]:
    def read(value: Any, _: str) -> int:
        if type(value) is not int or not least <= value < 1 << 31:
            raise _Unusable(f"must be a whole number, {least} or more")
        return value

    return read


def _bytes(value: Any, _: str) -> int:
    try:
        return byte_count(value)
    except ValueError as error:
        raise _Unusable("must be a number of bytes, such as 53687091200 or 50G") from error


def _seconds(value: Any, _: str) -> float:
    if type(value) not in (int, float) or not 0 <= value < 1e9:  # which also refuses NaN
        raise _Unusable("must be a number of seconds")
    return float(value)


def _switch(value: Any, _: str) -> bool:
    if not isinstance(value, bool):
        raise _Unusable("must be true or false")
    return value


def _text(value: Any, _: str) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise _Unusable("must be text")
    return value


def _name(value: Any, _: str) -> str:
    if not isinstance(value, str) or not NAME.match(value):
        raise _Unusable(
            "must be 1 to 64 of the characters A-Z a-z 0-9 _ . - without a dot in front, and not `incoming`"
        )
    return value


def _path(value: Any, folder: str) -> str:
    return os.path.abspath(os.path.join(folder, os.path.expanduser(_text(value, folder))))


def _folders(value: Any, folder: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _Unusable("must be a list of folders")
    found = dict.fromkeys(os.path.realpath(_path(item, folder)) for item in value)
    for item in found:
        if not os.path.isdir(item):
            raise _Unusable(f"must name folders of this machine ({item} is none)")
    return tuple(found)


def _devices(value: Any, _: str) -> tuple[str, ...]:
    names = [name for item in value for name in str(item).split(",")] if isinstance(value, list) else []
    if not names or not all(re.fullmatch(r"auto|cpu|cuda:[0-9]{1,3}", name) for name in names):
        raise _Unusable("must be a list of auto, cpu, cuda:0, cuda:1 …")
    return tuple(names)


def _memory(value: Any, _: str) -> str:
    if value not in CHOICES["memory"]:
        raise _Unusable(f"must be {', '.join(CHOICES['memory'])}")
    return str(value)


def _address(value: Any, folder: str) -> str:
    address = _text(value, folder)
    if address.startswith("unix:"):
        path = address.removeprefix("unix:")
        if not os.path.isabs(path) or len(os.fsencode(path)) > SOCKET_PATH_BYTES:
            raise _Unusable(f"must be unix: and an absolute path of at most {SOCKET_PATH_BYTES} bytes")
        return address
    return _tcp_address(address, folder)


def _tcp_address(value: Any, folder: str) -> str:
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]/\s]+):([0-9]{1,5})", _text(value, folder))
    if match is None or int(match.group(2)) > 65535:
        raise _Unusable("must be HOST:PORT, such as 127.0.0.1:7476")
    return match.group(0)


class _Key(NamedTuple):
    """A setting: how its value is read, what it means, and what argparse makes of the words of its flag."""

    read: Callable[[Any, str], Any]
    help: str
    kind: Callable[[str], Any] = str


_LIMITS: Mapping[str, _Key] = {
    "max_frames": _Key(_whole(1), "most frames of one job", int),
    "max_pixels": _Key(_whole(1), "most pixels of one frame", int),
    "max_file_bytes": _Key(_bytes, "most bytes of one uploaded file"),
    "max_jobs": _Key(_whole(1), "most jobs of one identity that wait or run", int),
    "max_bytes": _Key(_bytes, "most bytes of one namespace in the store; 0: up to the quota of the whole store"),
}
_KEYS: Mapping[str, _Key] = {
    "address": _Key(_address, "HOST:PORT or unix:/PATH to listen on; default: 127.0.0.1:7476"),
    "state": _Key(_path, "folder of the queue, the store and the token; default: ~/.local/state/void_plugin"),
    "devices": _Key(_devices, "one worker process each: auto, cpu, cuda:0 …; default: auto"),
    "token_file": _Key(_path, "file with a line `NAME TOKEN` for everybody who may use this server"),
    "tls_cert": _Key(_path, "PEM certificate of this server"),
    "tls_key": _Key(_path, "PEM key of that certificate"),
    "tls_client_ca": _Key(_path, "PEM file of the authority whose certificates clients must show"),
    "insecure": _Key(_switch, "listen beyond this machine without a token file or without TLS"),
    "metrics_address": _Key(_tcp_address, "HOST:PORT for Prometheus; default: no metrics"),
    "reflection": _Key(_switch, "tell clients that have a token what services there are; default: yes"),
    "roots": _Key(_folders, "folder below which requests may name files; may be repeated; default: upload only"),
    "namespace": _Key(_name, "one place in the store for all, such as a show's name; default: one an identity"),
    "store_bytes": _Key(_bytes, "bytes that frames and results may take; default: 50G"),
    "max_queued": _Key(_whole(1), "most jobs that wait; default: 1000", int),
    "keep_seconds": _Key(_seconds, "how long results of ended jobs are kept; default: 604800, a week", float),
    "heartbeat_seconds": _Key(_seconds, "a worker silent for so long is killed; default: 30", float),
    "hang_seconds": _Key(_seconds, "a job without a sign of life for so long is killed; default: 900", float),
    "drain_seconds": _Key(_seconds, "how long a stopping server waits for its workers; default: 60", float),
    "max_calls": _Key(_whole(1), "most calls at once; default: 256", int),
    "workers": _Key(_whole(0), "threads of a job; default: all cores", int),
    "cache_bytes": _Key(_bytes, "bytes of decoded plate that a job keeps in memory; default: 1G"),
    "weights": _Key(_path, "folder of VOID's weights; default: $VOID_WEIGHTS, else among the user's data"),
    "memory": _Key(_memory, "how VOID uses a GPU: auto, full, swap, offload or fp8; default: $VOID_MEMORY, else auto"),
}
_FLAGS: Mapping[str, _Key] = {**_KEYS, **_LIMITS}


def _flag(name: str) -> str:
    return "--allow-root" if name == "roots" else "--" + name.replace("_", "-")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `void-server serve`; none has a default, so that the file can be told from the flags."""
    parser.add_argument("--config", metavar="FILE", help="TOML file with the same names, written with underscores")
    for name, key in _FLAGS.items():
        more: dict[str, Any] = {"metavar": name.rpartition("_")[2].upper(), "type": key.kind}
        if key.read is _switch:
            more = {"action": argparse.BooleanOptionalAction}
        elif key.read is _folders:
            more = {"metavar": "FOLDER", "action": "append"}
        elif key.read is _devices:
            more = {"metavar": "DEVICE", "action": "extend", "nargs": "+"}
        parser.add_argument(_flag(name), dest=name, default=None, help=key.help, **more)
    parser.add_argument("--path-mapping-rules", metavar="FILE", help="OpenJD rules: where folders of clients lie here")
    parser.add_argument("--private", action="store_true", help="stop when stdin ends, and remove the state folder")


def settings_from(options: argparse.Namespace, environment: Mapping[str, str]) -> ServerSettings:
    """The settings of a server. Raises RequestError naming the flag, or the file and key, that cannot be used."""
    here = os.getcwd()
    values: dict[str, Any] = {"state": state_folder(environment)}
    if options.config:
        values.update(_File(_path(options.config, here)).settings())
    given: dict[str, Any] = {}
    for name, key in _FLAGS.items():
        if getattr(options, name) is not None:
            try:
                given[name] = key.read(getattr(options, name), here)
            except _Unusable as error:
                raise RequestError(f"{_flag(name)} {error}, not {getattr(options, name)!r}.") from error
    limits = {name: given.pop(name) for name in _LIMITS if name in given}
    if options.path_mapping_rules:
        given["path_mapping"] = mapping_rules(_path(options.path_mapping_rules, here))
    values.update(given, private=options.private, limits=replace(values.get("limits", Limits()), **limits))
    values["identities"] = {
        # Own limits are written against those for all, which a flag may have changed.
        name: replace(own, limits=replace(values["limits"], **limits_of))
        for name, (own, limits_of) in values.get("identities", {}).items()
    }
    settings = ServerSettings(**{**values, "state": Path(os.path.abspath(values["state"]))})
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise RequestError("A certificate needs its key: give both tls_cert and tls_key, or neither.")
    if settings.tls_client_ca and not settings.tls_cert:
        raise RequestError(
            "tls_client_ca asks clients for certificates, so tls_cert and tls_key must be given as well."
        )
    return settings


# -- files --------------------------------------------------------------------------------------------------------


class _File:
    """Reads the TOML file; each error names the file and the key."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.folder = os.path.dirname(path)

    def settings(self) -> dict[str, Any]:
        """Checked values by name; each identity as its settings and the limits that it changes."""
        try:
            with open(self.path, "rb") as stream:
                table = tomllib.load(stream)
        except (OSError, ValueError) as error:
            raise RequestError(f"The settings {self.path} cannot be read: {error}.") from error
        special = {"limits", "identities", "path_mapping", "path_mapping_rules"}
        values = self._values(table, _KEYS, "", special)
        if "limits" in table:
            values["limits"] = Limits(**self._values(table["limits"], _LIMITS, "limits."))
        if "path_mapping_rules" in table:
            rules = self._value(_Key(_path, ""), table["path_mapping_rules"], "path_mapping_rules")
            values["path_mapping"] = mapping_rules(rules)
        if "path_mapping" in table:
            values["path_mapping"] = _rules(table["path_mapping"], self.path, "path_mapping") + values.get(
                "path_mapping", ()
            )
        if "identities" in table:
            identities = self._table(table["identities"], "identities")
            values["identities"] = {name: self._identity(name, own) for name, own in identities.items()}
        return values

    def _identity(self, name: str, table: Any) -> tuple[IdentitySettings, dict[str, Any]]:
        place = f"identities.{name}"
        self._value(_Key(_name, ""), name, place)
        keys = {"roots": _KEYS["roots"], "namespace": _KEYS["namespace"], "supervisor": _Key(_switch, "")}
        own = IdentitySettings(**self._values(table, keys, place + ".", {"limits"}))
        return own, self._values(table.get("limits", {}), _LIMITS, place + ".limits.")

    def _values(
        self, table: Any, keys: Mapping[str, _Key], place: str, special: set[str] | None = None
    ) -> dict[str, Any]:
        known = {*keys, *(special or ())}
        table = self._table(table, place.rstrip("."))
        for name in table:
            if name not in known:
                raise RequestError(
                    f"{self.path} has the unknown key {place + name!r}; known are {', '.join(sorted(known))}."
                )
        return {name: self._value(key, table[name], place + name) for name, key in keys.items() if name in table}

    def _value(self, key: _Key, value: Any, place: str) -> Any:
        try:
            return key.read(value, self.folder)
        except _Unusable as error:
            raise RequestError(f"{self.path}: {place} {error}, not {value!r}.") from error

    def _table(self, table: Any, place: str) -> Mapping[str, Any]:
        if not isinstance(table, dict):
            raise RequestError(f"{self.path}: {place} must be a table, not {table!r}.")
        return table


def mapping_rules(path: str) -> tuple[PathMapping, ...]:
    """The rules of an OpenJD file, which a session without any leaves empty."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestError(f"The path mapping rules {path} cannot be read: {error}.") from error
    if content == {}:
        return ()
    if not isinstance(content, dict) or content.get("version") != "pathmapping-1.0":
        raise RequestError(f'{path} holds no path mapping rules of OpenJD; its "version" must be "pathmapping-1.0".')
    return _rules(content.get("path_mapping_rules", []), path, "path_mapping_rules")


def _rules(rows: Any, path: str, place: str) -> tuple[PathMapping, ...]:
    names = ("source_path_format", "source_path", "destination_path")
    rules = []
    for row in rows if isinstance(rows, list) else [rows]:
        if not isinstance(row, dict) or set(row) != set(names) or not all(isinstance(row[name], str) for name in names):
            raise RequestError(f"{path}: each rule of {place} must have the texts {', '.join(names)}, not {row!r}.")
        rule = PathMapping(**row)
        if rule.source_path_format not in ("POSIX", "WINDOWS"):
            raise RequestError(
                f"{path}: source_path_format of {place} must be POSIX or WINDOWS, not {rule.source_path_format!r}."
            )
        if not source_of(rule).is_absolute() or not os.path.isabs(rule.destination_path):
            raise RequestError(f"{path}: both paths of {place} must be absolute, unlike those of {row!r}.")
        rules.append(rule)
    return tuple(rules)
