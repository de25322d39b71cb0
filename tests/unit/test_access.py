"""Tokens: where they come from, who they let in, and that they are never told to anybody."""

import hashlib
import logging
import os
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_plugin.errors import ServerError
from void_plugin.wire import error_from_call
from void_server.access import Access
from void_server.settings import IdentitySettings, Limits, ServerSettings

ANN, BOB = "ann-has-a-long-secret", "bob-has-another-secret"


def settings(folder: Path, tokens: str | None = None, mode: int = 0o600, **more: Any) -> ServerSettings:
    """Settings with a state folder, and with a token file where there are tokens."""
    if tokens is not None:
        path = folder / "tokens"
        path.write_text(tokens, encoding="utf-8")
        path.chmod(mode)
        more["token_file"] = str(path)
    return ServerSettings(state=folder / "state", **more)


@pytest.fixture
def access(tmp_path: Path) -> Access:
    """Ann and Bob may come in."""
    return Access(settings(tmp_path, f"# who may use the box\n\nann {ANN}\n  bob\t{BOB}  \n"))


def refusal(access: Access, header: str | None) -> ServerError:
    with pytest.raises(ServerError) as caught:
        access.identify_header(header)
    assert caught.value.code == "server.unauthenticated"
    return caught.value


def start_error(given_settings: ServerSettings) -> str:
    with pytest.raises(ServerError) as caught:
        Access(given_settings)
    assert caught.value.code == "server.start"
    return caught.value.message


# -- who comes in ---------------------------------------------------------------------------------------------


def test_a_token_leads_to_its_identity(access: Access) -> None:
    assert access.identify([("user-agent", "x"), ("authorization", f"Bearer {ANN}")]).name == "ann"
    assert access.identify([("Authorization", f"bearer  {BOB}".encode())]).name == "bob"
    assert access.identify_header(f"Bearer {BOB}").name == "bob"
    assert [identity.name for identity in access.identities] == ["ann", "bob"]


@pytest.mark.parametrize("metadata", [None, [], [("authorization", "")], [("x-token", f"Bearer {ANN}")]])
def test_a_call_without_a_token_is_told_to_set_one(access: Access, metadata: Any) -> None:
    with pytest.raises(ServerError, match="wants a token") as caught:
        access.identify(metadata)
    assert caught.value.code == "server.unauthenticated"


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", ANN, f"Basic {ANN}", f"Bearer\t{ANN}"])
def test_a_header_without_a_bearer_token_has_none(access: Access, header: str) -> None:
    assert "wants a token" in refusal(access, header).message


@pytest.mark.parametrize(
    "token",
    [ANN[:-1], ANN + "x", ANN.upper(), f"{ANN} {BOB}", f"{ANN}\0", "ann", hashlib.sha256(ANN.encode()).hexdigest()],
)
def test_a_token_must_be_right_to_the_last_character(access: Access, token: str) -> None:
    assert token not in refusal(access, f"Bearer {token}").message


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Access:
    return Access(settings(tmp_path_factory.mktemp("access"), f"ann {ANN}\n"))


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_is_sent_as_a_header_is_refused_with_a_sentence(fuzzed: Access, header: str) -> None:
    refusal(fuzzed, header)
    refusal(fuzzed, "Bearer " + header)


# -- what an identity may do ----------------------------------------------------------------------------------


def test_an_identity_has_what_holds_for_all_unless_it_has_its_own(tmp_path: Path) -> None:
    own = IdentitySettings(roots=("/fast",), namespace="hers", supervisor=True, limits=Limits(max_jobs=3))
    access = Access(
        settings(
            tmp_path, f"ann {ANN}\nbob {BOB}", roots=("/shows",), limits=Limits(max_jobs=7), identities={"ann": own}
        )
    )
    ann, bob = access.identities
    assert (ann.roots, ann.namespace, ann.supervisor, ann.limits) == (("/fast",), "hers", True, Limits(max_jobs=3))
    assert (bob.roots, bob.namespace, bob.supervisor, bob.limits) == (("/shows",), "bob", False, Limits(max_jobs=7))


def test_an_identity_may_be_denied_every_folder(tmp_path: Path) -> None:
    denied = {"ann": IdentitySettings(roots=())}
    assert Access(settings(tmp_path, f"ann {ANN}", roots=("/",), identities=denied)).identities[0].roots == ()


def test_one_namespace_may_be_shared_by_all(tmp_path: Path) -> None:
    access = Access(settings(tmp_path, f"ann {ANN}\nbob {BOB}", namespace="show1"))
    assert {identity.namespace for identity in access.identities} == {"show1"}


def test_settings_of_somebody_without_a_token_are_taken_for_a_mistake(tmp_path: Path) -> None:
    sentence = start_error(settings(tmp_path, f"ann {ANN}", identities={"anne": IdentitySettings()}))
    assert "anne" in sentence and ANN not in sentence


# -- the token that a server makes itself ---------------------------------------------------------------------


def own_token(folder: Path) -> str:
    return (folder / "state" / "token").read_text().strip()


def test_on_loopback_a_server_makes_a_token_that_only_its_user_can_read(tmp_path: Path) -> None:
    access = Access(settings(tmp_path))
    facts = (tmp_path / "state" / "token").stat()
    assert stat.S_IMODE(facts.st_mode) == 0o600 and facts.st_uid == os.getuid()
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert os.listdir(tmp_path / "state") == ["token"]
    alone = access.identify_header(f"Bearer {own_token(tmp_path)}")
    assert alone == access.identities[0] and alone.supervisor and len(own_token(tmp_path)) >= 32


def test_two_servers_make_different_tokens(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Access(settings(tmp_path / name))
    assert own_token(tmp_path / "a") != own_token(tmp_path / "b")


def test_a_restart_keeps_the_token(tmp_path: Path) -> None:
    Access(settings(tmp_path))
    before = own_token(tmp_path)
    Access(settings(tmp_path)).identify_header(f"Bearer {before}")
    assert own_token(tmp_path) == before


@pytest.mark.parametrize("spoil", [lambda path: path.chmod(0o644), lambda path: path.write_text("short\n")])
def test_a_token_that_others_may_know_is_replaced_and_said_so(
    tmp_path: Path, spoil: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    Access(settings(tmp_path))
    before = own_token(tmp_path)
    spoil(tmp_path / "state" / "token")
    access = Access(settings(tmp_path))
    assert own_token(tmp_path) != before and stat.S_IMODE((tmp_path / "state" / "token").stat().st_mode) == 0o600
    refusal(access, f"Bearer {before}")
    assert "replaced by a new token" in caplog.text and before not in caplog.text


def test_a_state_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    assert str(tmp_path / "state") in start_error(settings(tmp_path))


def test_a_link_in_place_of_the_token_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "elsewhere").write_text(ANN)
    (tmp_path / "elsewhere").chmod(0o600)
    (tmp_path / "state" / "token").symlink_to(tmp_path / "elsewhere")
    assert "token" in start_error(settings(tmp_path))


# -- the token file -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o666])
def test_a_token_file_that_others_can_read_is_refused_with_the_command_that_helps(tmp_path: Path, mode: int) -> None:
    sentence = start_error(settings(tmp_path, f"ann {ANN}", mode))
    assert f"chmod 600 {tmp_path / 'tokens'}" in sentence and f"{mode:04o}" in sentence and ANN not in sentence


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_token_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    given_settings = settings(tmp_path, f"ann {ANN}")
    os.chown(given_settings.token_file, 12345, -1)
    assert "another user" in start_error(given_settings)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "no line"),
        ("# nobody yet\n", "no line"),
        (f"ann {ANN}\nbob", "Line 2"),
        (f"ann {ANN} x", "Line 1"),
        ("ann tooshort", "shorter than 16"),
        ("ann t\u00f6ken-with-umlaut", "plain ASCII"),
        (f"{ANN} ann", "Line 1"),
        (f"../ann {ANN}", "no name"),
        (f"incoming {ANN}", "no name"),
        (f"ann {ANN}\n\nann {BOB}", "Line 3 of the token file"),
        (f"ann {ANN}\nbob {ANN}", "another line has as well"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_without_its_token(tmp_path: Path, text: str, named: str) -> None:
    sentence = start_error(settings(tmp_path, text))
    assert named in sentence and str(tmp_path / "tokens") in sentence
    assert ANN not in sentence and BOB not in sentence and "tooshort" not in sentence


def test_a_token_file_that_is_no_text_file_is_refused(tmp_path: Path) -> None:
    given_settings = settings(tmp_path, "")
    path = Path(given_settings.token_file)
    path.write_bytes(b"ann \xff\xfe")
    assert "not text" in start_error(given_settings)
    path.unlink()
    assert "No such file" in start_error(given_settings)
    os.mkfifo(path, 0o600)
    assert "no regular file" in start_error(given_settings)
    path.unlink()
    path.mkdir()
    assert "tokens" in start_error(given_settings)


# -- calls over the wire --------------------------------------------------------------------------------------


@contextmanager
def served(access: Access) -> Iterator[grpc.Channel]:
    """A real server of one service with all four kinds of call, and of health."""

    def echo(message: bytes, _: grpc.ServicerContext) -> bytes:
        return message

    def each(message: bytes, _: grpc.ServicerContext) -> Iterator[bytes]:
        yield message

    def joined(messages: Iterator[bytes], _: grpc.ServicerContext) -> bytes:
        return b"".join(messages)

    def stream(messages: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
        yield from messages

    kinds = {
        "UU": grpc.unary_unary_rpc_method_handler(echo),
        "US": grpc.unary_stream_rpc_method_handler(each),
        "SU": grpc.stream_unary_rpc_method_handler(joined),
        "SS": grpc.stream_stream_rpc_method_handler(stream),
    }
    server = grpc.server(ThreadPoolExecutor(4), interceptors=[access.interceptor(lambda code: None)])
    for service in ("test.Kinds", "grpc.health.v1.Health", "grpc.health.v1.Healthy"):
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, kinds),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        server.stop(None).wait()


def call(channel: grpc.Channel, kind: str, token: str | None, service: str = "test.Kinds") -> bytes:
    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    path, more = f"/{service}/{kind}", {"metadata": metadata, "timeout": 30}
    if kind == "UU":
        return channel.unary_unary(path)(b"x", **more)
    if kind == "US":
        return b"".join(channel.unary_stream(path)(b"x", **more))
    if kind == "SU":
        return channel.stream_unary(path)(iter([b"x"]), **more)
    return b"".join(channel.stream_stream(path)(iter([b"x"]), **more))


def test_a_call_without_a_known_token_reaches_no_service(access: Access, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = "wrong-" + ANN
    with served(access) as channel:
        for kind in ("UU", "US", "SU", "SS"):
            assert call(channel, kind, ANN) == b"x"
            for token in (None, wrong):
                with pytest.raises(grpc.RpcError) as caught:
                    call(channel, kind, token)
                assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
                error = error_from_call(caught.value, "here")
                assert error.code == "server.unauthenticated" and "token" in error.message
                assert ANN not in str(caught.value)
    assert ANN not in caplog.text


def test_without_a_token_nobody_learns_which_services_there_are(access: Access) -> None:
    with served(access) as channel:
        for service in ("test.Kinds", "test.None", "grpc.reflection.v1.ServerReflection", "grpc.health.v1.Healthy"):
            with pytest.raises(grpc.RpcError) as caught:
                call(channel, "UU", None, service)
            assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.RpcError) as caught:
            call(channel, "UU", ANN, "test.None")
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_client_that_sends_nothing_is_refused_all_the_same(access: Access) -> None:
    refused = threading.Event()

    def nothing() -> Iterator[bytes]:
        refused.wait(30)
        yield from ()

    with served(access) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.stream_unary("/test.Kinds/SU")(nothing(), timeout=20)
    refused.set()
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_a_probe_needs_no_token_to_ask_for_health(access: Access) -> None:
    with served(access) as channel:
        assert call(channel, "UU", None, "grpc.health.v1.Health") == b"x"
