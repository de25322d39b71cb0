import json
import sys
from pathlib import Path

import pytest

from void_plugin.config import Config, config_path, load_config
from void_plugin.errors import RequestError


def configured(folder: Path, content: object) -> dict[str, str]:
    path = folder / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return {"VOID_CONFIG": str(path)}


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load_config({"XDG_CONFIG_HOME": str(tmp_path), "APPDATA": str(tmp_path), "HOME": str(tmp_path)}) == Config()


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    environment = configured(tmp_path, {"workers": 3, "cache_bytes": 5, "ocio": "show.ocio"})
    config = load_config({**environment, "VOID_WORKERS": "7", "VOID_CACHE_BYTES": ""})
    assert (config.workers, config.cache_bytes, config.ocio) == (7, 5, "show.ocio")


def test_where_void_finds_its_weights_and_how_it_runs_is_told_by_the_file_or_the_environment(tmp_path: Path) -> None:
    told = {"weights": "/studio/void", "memory": "swap", "device": "cpu", "compile": True}
    environment = configured(tmp_path, told)
    assert load_config(environment) == Config(**told)  # type: ignore[arg-type]
    other = {"VOID_WEIGHTS": "/other", "VOID_MEMORY": "fp8", "VOID_DEVICE": "cuda", "VOID_COMPILE": "0"}
    assert load_config({**environment, **other}) == Config(weights="/other", memory="fp8")


@pytest.mark.parametrize(("text", "meant"), [("1", True), ("true", True), ("0", False), ("false", False)])
def test_a_switch_in_the_environment_is_a_word(tmp_path: Path, text: str, meant: bool) -> None:
    assert load_config({**configured(tmp_path, {"compile": not meant}), "VOID_COMPILE": text}).compile is meant


@pytest.mark.parametrize(
    ("variable", "key"), [("VOID_MEMORY", "memory"), ("VOID_DEVICE", "device"), ("VOID_COMPILE", "compile")]
)
def test_a_word_in_the_environment_that_means_nothing_is_named(tmp_path: Path, variable: str, key: str) -> None:
    with pytest.raises(RequestError, match=rf"setting {key} has the unusable value 'maybe' \(in .* the environment"):
        load_config({**configured(tmp_path, {}), variable: "maybe"})


@pytest.mark.skipif(sys.platform == "win32", reason="paths are split in another way there")
def test_a_server_command_may_be_text_or_a_list(tmp_path: Path) -> None:
    assert load_config(configured(tmp_path, {"server_command": "a 'b c' d"})).server_command == ("a", "b c", "d")
    assert load_config(configured(tmp_path, {"server_command": ["a", "b c"]})).server_command == ("a", "b c")
    environment = {**configured(tmp_path, {}), "VOID_SERVER_COMMAND": "python -m void_server.cli"}
    assert load_config(environment).server_command == ("python", "-m", "void_server.cli")


def test_engines_are_read_as_names_and_classes(tmp_path: Path) -> None:
    engines = {"studio": "studio_tools.fill:Engine"}
    assert load_config(configured(tmp_path, {"engines": engines})).engines == engines


@pytest.mark.parametrize("written", [3 << 30, str(3 << 30), "3G", "3072M"])
def test_memory_can_be_given_as_people_write_it(tmp_path: Path, written: object) -> None:
    assert load_config(configured(tmp_path, {"cache_bytes": written})).cache_bytes == 3 << 30
    environment = {**configured(tmp_path, {}), "VOID_CACHE_BYTES": str(written)}
    assert load_config(environment).cache_bytes == 3 << 30


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "cannot be read"),
        ("[]", "one JSON object"),
        ({"worker": 3}, "'worker'"),
        ({"workers": -1}, "workers"),
        ({"workers": "many"}, "workers"),
        ({"cache_bytes": None}, "cache_bytes"),
        ({"cache_bytes": True}, "cache_bytes"),
        ({"cache_bytes": "3GB"}, "'3GB'"),
        ({"cache_bytes": "-1"}, "cache_bytes"),
        ({"engines": ["a"]}, "engines"),
        ({"engines": {"a": 3}}, "engines"),
        ({"server_command": 3}, "server_command"),
        ({"server_command": ["a", 3]}, "server_command"),
        ({"ocio": 3}, "ocio"),
        ({"weights": 3}, "weights"),
        ({"memory": "most"}, "memory"),
        ({"memory": ["full"]}, "memory"),
        ({"device": "cuda:0"}, "device"),
        ({"compile": 1}, "compile"),
        ({"compile": []}, "compile"),
        ({"insecure": "true"}, "insecure"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(tmp_path: Path, content: object, named: str) -> None:
    environment = configured(tmp_path, content)
    with pytest.raises(RequestError, match=r"config\.json") as caught:
        load_config(environment)
    assert named in caught.value.message


def test_a_file_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="does not exist"):
        load_config({"VOID_CONFIG": str(tmp_path / "none.json")})


def test_the_file_is_where_the_platform_keeps_settings(tmp_path: Path) -> None:
    path = Path(config_path({"XDG_CONFIG_HOME": str(tmp_path), "APPDATA": str(tmp_path)}))
    assert path.parts[-2:] == ("void_plugin", "config.json")
    if sys.platform != "darwin":
        assert path.is_relative_to(tmp_path)
