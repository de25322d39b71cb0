"""Settings of a server from flags and a file, what makes it refuse to start, and where paths of clients lie."""

import argparse
import json
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_plugin.errors import RequestError, ServerError
from void_server.options import add_arguments, settings_from
from void_server.settings import (
    NAME,
    IdentitySettings,
    Limits,
    PathMapping,
    ServerSettings,
    check_exposure,
    is_loopback,
    map_path,
    split_address,
)


def settings(*arguments: str, **environment: str) -> ServerSettings:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return settings_from(parser.parse_args(arguments), {"XDG_STATE_HOME": "/state", **environment})


def from_file(folder: Path, text: str, *arguments: str) -> ServerSettings:
    (folder / "server.toml").write_text(text, encoding="utf-8")
    return settings("--config", str(folder / "server.toml"), *arguments)


# -- where values come from -----------------------------------------------------------------------------------


def test_without_anything_a_server_listens_on_this_machine_only() -> None:
    assert settings() == ServerSettings(state=Path("/state/void_plugin"))
    assert is_loopback(settings().address) and settings().roots == ()


def test_the_state_is_kept_where_the_user_keeps_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert settings(XDG_STATE_HOME="").state == tmp_path / ".local" / "state" / "void_plugin"


def test_every_setting_can_be_given_by_a_flag(tmp_path: Path) -> None:
    given_flags = (
        f"--address [::1]:0 --state {tmp_path} --devices cuda:0,cpu cpu --token-file t --tls-cert c --tls-key k "
        f"--tls-client-ca a --insecure --metrics-address 127.0.0.1:9100 --no-reflection --allow-root {tmp_path} "
        "--allow-root / --namespace show1 --store-bytes 5G --max-queued 3 --keep-seconds 1.5 --heartbeat-seconds 2 "
        "--hang-seconds 3 --drain-seconds 4 --max-calls 5 --workers 6 --cache-bytes 7K --private --max-frames 8 "
        "--max-pixels 9 --max-file-bytes 10 --max-jobs 11 --max-bytes 12M --weights w --memory swap"
    )
    here = Path.cwd()
    assert settings(*given_flags.split()) == ServerSettings(
        address="[::1]:0",
        state=tmp_path,
        devices=("cuda:0", "cpu", "cpu"),
        token_file=str(here / "t"),
        tls_cert=str(here / "c"),
        tls_key=str(here / "k"),
        tls_client_ca=str(here / "a"),
        insecure=True,
        metrics_address="127.0.0.1:9100",
        reflection=False,
        roots=(str(tmp_path), "/"),
        namespace="show1",
        store_bytes=5 << 30,
        max_queued=3,
        keep_seconds=1.5,
        heartbeat_seconds=2,
        hang_seconds=3,
        drain_seconds=4,
        max_calls=5,
        workers=6,
        cache_bytes=7 << 10,
        weights=str(here / "w"),
        memory="swap",
        private=True,
        limits=Limits(8, 9, 10, 11, 12 << 20),
    )


def test_every_setting_can_be_given_by_the_file(tmp_path: Path) -> None:
    (tmp_path / "plates").mkdir()
    (tmp_path / "rules.json").write_text(
        json.dumps(
            {
                "version": "pathmapping-1.0",
                "path_mapping_rules": [
                    {"source_path_format": "POSIX", "source_path": "/Volumes/x", "destination_path": "/x"}
                ],
            }
        )
    )
    text = """
        address = "unix:/run/void.sock"
        state = "state"
        devices = ["cpu"]
        token_file = "tokens"
        tls_cert = "cert.pem"
        tls_key = "key.pem"
        tls_client_ca = "ca.pem"
        insecure = true
        metrics_address = "127.0.0.1:9100"
        reflection = false
        roots = ["plates"]
        namespace = "show1"
        store_bytes = "1T"
        max_queued = 3
        keep_seconds = 4
        heartbeat_seconds = 5
        hang_seconds = 6.5
        drain_seconds = 7
        max_calls = 8
        workers = 9
        cache_bytes = 10
        weights = "weights"
        memory = "offload"
        path_mapping_rules = "rules.json"
        [limits]
        max_frames = 1
        max_pixels = 2
        max_file_bytes = 3
        max_jobs = 4
        max_bytes = 5
        [identities.ann]
        roots = ["/"]
        namespace = "hers"
        supervisor = true
        limits = { max_jobs = 9 }
        [identities.bob]
        [[path_mapping]]
        source_path_format = "WINDOWS"
        source_path = "Z:"
        destination_path = "/shows"
    """
    assert from_file(tmp_path, text) == ServerSettings(
        address="unix:/run/void.sock",
        state=tmp_path / "state",
        devices=("cpu",),
        token_file=str(tmp_path / "tokens"),
        tls_cert=str(tmp_path / "cert.pem"),
        tls_key=str(tmp_path / "key.pem"),
        tls_client_ca=str(tmp_path / "ca.pem"),
        insecure=True,
        metrics_address="127.0.0.1:9100",
        reflection=False,
        roots=(str(tmp_path / "plates"),),
        namespace="show1",
        store_bytes=1 << 40,
        max_queued=3,
        keep_seconds=4,
        heartbeat_seconds=5,
        hang_seconds=6.5,
        drain_seconds=7,
        max_calls=8,
        workers=9,
        cache_bytes=10,
        weights=str(tmp_path / "weights"),
        memory="offload",
        path_mapping=(PathMapping("WINDOWS", "Z:", "/shows"), PathMapping("POSIX", "/Volumes/x", "/x")),
        limits=Limits(1, 2, 3, 4, 5),
        identities={
            "ann": IdentitySettings(("/",), "hers", True, Limits(1, 2, 3, 9, 5)),
            "bob": IdentitySettings(limits=Limits(1, 2, 3, 4, 5)),
        },
    )


def test_a_flag_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    text = "max_queued = 5\nworkers = 2\ninsecure = true\n[limits]\nmax_jobs = 7\nmax_frames = 8\n[identities.ann]\n"
    found = from_file(tmp_path, text, "--max-queued", "6", "--no-insecure", "--max-jobs", "9")
    assert (found.max_queued, found.workers, found.insecure, found.max_calls) == (6, 2, False, 256)
    assert (found.limits.max_jobs, found.limits.max_frames) == (9, 8)
    assert found.identities["ann"].limits == found.limits


def test_roots_are_kept_as_the_folders_that_they_really_are(tmp_path: Path) -> None:
    (tmp_path / "shows").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "shows")
    found = settings("--allow-root", f"{tmp_path}/link/../link", "--allow-root", str(tmp_path / "shows"))
    assert found.roots == (str(tmp_path / "shows"),)


# -- what cannot be used --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("adress = '127.0.0.1:1'", "'adress'; known are address, cache_bytes"),
        ("private = true", "'private'"),
        ("limits = 3", "limits must be a table"),
        ("[limits]\nmax_frame = 3", "'limits.max_frame'"),
        ("[limits]\nmax_frames = 0", "limits.max_frames"),
        ("[limits]\nmax_bytes = '5X'", "limits.max_bytes"),
        ("identities = []", "identities must be a table"),
        ("[identities]\nann = 'x'", "identities.ann must be a table"),
        ("[identities.ann]\ntoken = 'x'", "'identities.ann.token'"),
        ("[identities.ann]\nsupervisor = 1", "identities.ann.supervisor must be true or false"),
        ("[identities.ann.limits]\nmax_job = 1", "'identities.ann.limits.max_job'"),
        ("[identities.'../x']", "identities.../x must be"),
        ("namespace = '..'", "namespace"),
        ("namespace = 'incoming'", "namespace"),
        ("address = 7476", "address must be text"),
        ("address = 'localhost'", "address must be HOST:PORT"),
        ("address = '::1:7476'", "address must be HOST:PORT"),
        ("address = 'localhost:70000'", "address must be HOST:PORT"),
        ("address = 'http://localhost:80'", "address must be HOST:PORT"),
        ("address = 'unix:void.sock'", "absolute"),
        (f"address = 'unix:/{'x' * 107}'", "107 bytes"),
        ("metrics_address = 'unix:/x'", "metrics_address must be HOST:PORT"),
        ("insecure = 1", "insecure must be true or false"),
        ("reflection = 'no'", "reflection must be true or false"),
        ("roots = '/'", "roots must be a list"),
        ("roots = ['none']", "/none is none"),
        ("roots = [3]", "roots must be text"),
        ("devices = []", "devices must be a list"),
        ("devices = ['tpu']", "devices must be a list"),
        ("devices = ['auto,cpu', 'cuda']", "devices must be a list"),
        ("store_bytes = true", "store_bytes must be a number of bytes"),
        ("store_bytes = -1", "store_bytes must be a number of bytes"),
        ("store_bytes = 1.5", "store_bytes must be a number of bytes"),
        ("max_queued = 0", "max_queued must be a whole number, 1 or more"),
        ("max_queued = 2.0", "max_queued must be a whole number"),
        ("max_queued = true", "max_queued must be a whole number"),
        ("keep_seconds = nan", "keep_seconds must be a number of seconds"),
        ("keep_seconds = -1", "keep_seconds must be a number of seconds"),
        ("hang_seconds = '1 h'", "hang_seconds must be a number of seconds"),
        ("token_file = ''", "token_file must be text"),
        ("weights = 3", "weights must be text"),
        ("memory = 'most'", "memory must be auto, full, swap, offload, fp8"),
        ("memory = ['full']", "memory must be auto, full"),
        ('token_file = "a\\u0000b"', "token_file must be text"),
        ("path_mapping = 3", "path_mapping"),
        ("[[path_mapping]]\nsource_path = '/x'", "source_path_format, source_path, destination_path"),
        ("path_mapping_rules = 'none.json'", "none.json cannot be read"),
        ("x = ", "server.toml cannot be read"),
        ("x = '\0'", "server.toml cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_key(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(RequestError) as caught:
        from_file(tmp_path, text)
    assert named in caught.value.message and (str(tmp_path) in caught.value.message)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--max-queued", "0"), "--max-queued must be a whole number, 1 or more, not 0."),
        (("--store-bytes", "50 G"), "--store-bytes must be a number of bytes"),
        (
            ("--allow-root", "/nowhere/at/all"),
            "--allow-root must name folders of this machine (/nowhere/at/all is none)",
        ),
        (("--devices", "gpu"), "--devices must be a list"),
        (("--namespace", "a/b"), "--namespace must be"),
        (("--keep-seconds", "nan"), "--keep-seconds must be a number of seconds"),
        (("--memory", "most"), "--memory must be auto, full, swap, offload, fp8, not 'most'."),
        (("--config", "/nowhere.toml"), "/nowhere.toml cannot be read"),
        (("--tls-cert", "c"), "both tls_cert and tls_key"),
        (("--tls-key", "k"), "both tls_cert and tls_key"),
        (("--tls-client-ca", "a"), "tls_cert and tls_key must be given"),
    ],
)
def test_a_flag_that_cannot_be_used_is_named(arguments: tuple[str, ...], named: str) -> None:
    with pytest.raises(RequestError) as caught:
        settings(*arguments)
    assert named in caught.value.message


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ([], "pathmapping-1.0"),
        ({"path_mapping_rules": []}, "pathmapping-1.0"),
        ({"version": "pathmapping-2.0"}, "pathmapping-1.0"),
        (("MAC", "/a", "/b"), "POSIX or WINDOWS"),
        (("POSIX", "a", "/b"), "absolute"),
        (("POSIX", "/a", "b"), "absolute"),
        (("WINDOWS", "/a", "/b"), "absolute"),
        (("POSIX", "/a", 3), "texts"),
        (("POSIX", "", "/b"), "absolute"),
    ],
)
def test_path_mapping_rules_that_cannot_be_used_are_named(tmp_path: Path, content: object, named: str) -> None:
    if isinstance(content, tuple):
        rule = dict(zip(("source_path_format", "source_path", "destination_path"), content, strict=True))
        content = {"version": "pathmapping-1.0", "path_mapping_rules": [rule]}
    (tmp_path / "rules.json").write_text(json.dumps(content))
    with pytest.raises(RequestError, match=r"rules\.json") as caught:
        settings("--path-mapping-rules", str(tmp_path / "rules.json"))
    assert named in caught.value.message


@pytest.mark.parametrize("name", ["ann", "a.b-c_D9", "x" * 64])
def test_names_are_plain_words(name: str) -> None:
    assert NAME.match(name)


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a b", "ä", "a\n", "x" * 65, "incoming", "a\0"])
def test_a_name_is_never_a_way_to_another_folder(name: str) -> None:
    assert not NAME.match(name)


# -- addresses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "parts"),
    [("127.0.0.1:7476", ("127.0.0.1", 7476)), ("[::1]:0", ("::1", 0)), ("gpu1.studio:80", ("gpu1.studio", 80))],
)
def test_an_address_is_a_host_and_a_port(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.8.9.10:1", "[::1]:1", "localhost:1", "unix:/run/void.sock"])
def test_loopback_addresses_need_nothing(address: str) -> None:
    assert is_loopback(address)
    check_exposure(ServerSettings(state=Path("/s"), address=address))


@pytest.mark.parametrize(
    "address", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "gpu1:1", "localhost.evil.com:1", "127.evil.com:1", "[fe80::1]:1"]
)
def test_any_other_address_needs_tokens_and_tls_or_the_word_insecure(address: str) -> None:
    assert not is_loopback(address)
    tls = {"tls_cert": "c", "tls_key": "k"}
    for given_settings, lacking in (
        ({}, "a token file (--token-file) and TLS (--tls-cert and --tls-key)"),
        ({"token_file": "t"}, "needs TLS (--tls-cert and --tls-key);"),
        (tls, "needs a token file (--token-file);"),
    ):
        for where in ("address", "metrics_address"):
            with pytest.raises(ServerError) as caught:
                check_exposure(ServerSettings(state=Path("/s"), **{where: address}, **given_settings))  # type: ignore[arg-type]
            assert caught.value.code == "server.start"
            assert lacking in caught.value.message and address in caught.value.message and where in caught.value.message
    check_exposure(ServerSettings(state=Path("/s"), address=address, token_file="t", **tls))  # type: ignore[arg-type]
    check_exposure(ServerSettings(state=Path("/s"), address=address, metrics_address=address, insecure=True))


# -- path mapping ---------------------------------------------------------------------------------------------

WINDOWS = PathMapping("WINDOWS", "Z:\\Shows", "/mnt/shows")
SHARE = PathMapping("WINDOWS", "\\\\filer\\vol", "/mnt/vol")
MAC = PathMapping("POSIX", "/Volumes/shows", "/mnt/shows")
DEEPER = PathMapping("POSIX", "/Volumes/shows/sh010", "/fast/sh010")


@pytest.mark.parametrize(
    ("path", "mapped"),
    [
        ("Z:\\Shows\\a\\p.%04d.exr", "/mnt/shows/a/p.%04d.exr"),
        ("z:/SHOWS/a/P.exr", "/mnt/shows/a/P.exr"),
        ("Z:\\Shows", "/mnt/shows"),
        ("Z:\\Shows2\\a", "Z:\\Shows2\\a"),
        ("//filer/VOL/x", "/mnt/vol/x"),
        ("\\\\filer\\volume\\x", "\\\\filer\\volume\\x"),
        ("/Volumes/shows/sh020/p.exr", "/mnt/shows/sh020/p.exr"),
        ("/Volumes/shows/sh010/p.exr", "/fast/sh010/p.exr"),
        ("/volumes/shows/p.exr", "/volumes/shows/p.exr"),
        ("/Volumes/showstopper/p.exr", "/Volumes/showstopper/p.exr"),
        ("/Volumes/shows/../etc", "/mnt/shows/../etc"),
        ("relative/p.exr", "relative/p.exr"),
        ("", ""),
    ],
)
def test_the_rule_with_the_longest_source_says_where_a_path_lies(path: str, mapped: str) -> None:
    for rules in ((WINDOWS, SHARE, MAC, DEEPER), (DEEPER, MAC, SHARE, WINDOWS)):
        assert map_path(rules, path) == mapped


def test_a_drive_stands_for_all_that_is_on_it() -> None:
    assert map_path((PathMapping("WINDOWS", "Z:", "/mnt"),), "z:\\a\\b.exr") == "/mnt/a/b.exr"


words = st.text(st.characters(exclude_characters='/\\\0:<>|?*" .', exclude_categories=("Cs",)), min_size=1, max_size=8)
tails = st.lists(words, max_size=5)


@given(words, words, tails)
def test_mapping_there_and_back_gives_the_path_again(source: str, target: str, tail: list[str]) -> None:
    path = str(PurePosixPath("/", source, *tail))
    there = map_path((PathMapping("POSIX", f"/{source}", f"/{target}"),), path)
    assert there == str(PurePosixPath("/", target, *tail))
    assert map_path((PathMapping("POSIX", f"/{target}", f"/{source}"),), there) == path


@given(tails, st.booleans())
def test_what_lies_below_a_windows_folder_lies_below_its_destination(tail: list[str], slashes: bool) -> None:
    path = str(PureWindowsPath("Z:\\Shows", *tail))
    mapped = map_path((WINDOWS, MAC), path.replace("\\", "/") if slashes else path)
    assert mapped == str(PurePosixPath("/mnt/shows", *tail))


@given(st.text(max_size=60))
def test_whatever_no_rule_fits_comes_back_unchanged(path: str) -> None:
    mapped = map_path((WINDOWS, SHARE, MAC, DEEPER), path)
    assert mapped == path or mapped.startswith(("/mnt/", "/fast/"))
    assert map_path((), path) == path
