"""Addresses, tokens and TLS of the client, against real servers where it takes one."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
import trustme
from fakes.fake_services import TOKEN, FakeServer

from void_plugin.channel import find_server, is_loopback, open_channel, read_token, server_address
from void_plugin.client import VoidClient
from void_plugin.config import Config
from void_plugin.errors import RequestError, ServerError, VoidError

# grpc looks at a channel from a thread of its own, which may find it closed; it prints that and ends.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception in thread .*_run.*:pytest.PytestUnhandledThreadExceptionWarning"
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user whose state folder holds the token of the fake server."""
    state = tmp_path / "state" / "void_plugin"
    state.mkdir(parents=True)
    (state / "token").write_text(TOKEN + "\n")
    return {"XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[FakeServer]:
    certificate = authority.issue_cert("127.0.0.1")
    pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
    with FakeServer(credentials=grpc.ssl_server_credentials([pair])) as server:
        yield server


def ask(config: Config, environment: dict[str, str], address: str) -> str:
    with VoidClient.connect(config, environment, address) as client:
        return client.engines().server.identity


def refusal(config: Config, environment: dict[str, str], address: str) -> VoidError:
    with pytest.raises(VoidError) as caught:
        ask(config, environment, address)
    return caught.value


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("gpu-box:7000", "gpu-box:7000"),
        ("gpu-box", "gpu-box:7476"),
        ("10.0.0.7", "10.0.0.7:7476"),
        ("[::1]:7000", "[::1]:7000"),
        ("unix:/run/void.sock", "unix:/run/void.sock"),
    ],
)
def test_an_address_may_leave_out_the_usual_port(written: str, meant: str) -> None:
    assert server_address(written) == meant


@pytest.mark.parametrize(
    "wrong", ["", ":7476", "https://gpu-box", "gpu-box:many", "box:70000", "unix:void.sock", "::1"]
)
def test_what_is_no_address_is_refused_with_an_example(wrong: str) -> None:
    with pytest.raises(RequestError, match="host:port"):
        server_address(wrong)


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("unix:/run/void.sock", True),
        ("127.0.0.1:1", True),
        ("127.8.9.10:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("gpu-box:1", False),
        ("localhost.studio.com:1", False),
        ("192.168.0.2:1", False),
        ("[fe80::1]:1", False),
    ],
)
def test_only_this_machines_own_addresses_are_loopback(address: str, local: bool) -> None:
    assert is_loopback(address) is local


def test_without_a_configured_server_the_one_this_user_runs_is_found(environment: dict[str, str]) -> None:
    state = Path(environment["XDG_STATE_HOME"]) / "void_plugin"
    with pytest.raises(ServerError, match="void-server serve"):
        find_server(Config(), environment)
    (state / "server.json").write_text(json.dumps({"address": "unix:/run/void.sock", "pid": 7}))
    assert find_server(Config(), environment) == "unix:/run/void.sock"
    assert find_server(Config(server="gpu-box"), environment) == "gpu-box:7476"
    (state / "server.json").write_text("{")
    with pytest.raises(ServerError, match=r"server\.json"):
        find_server(Config(), environment)
    (state / "server.json").write_text("[]")
    with pytest.raises(ServerError, match="names no address"):
        find_server(Config(), environment)


def test_the_token_of_this_users_server_is_found_and_sent(environment: dict[str, str]) -> None:
    with FakeServer() as server:
        assert ask(Config(), environment, server.address) == "artist"
    assert not server.violations


def test_a_unix_socket_needs_no_port(environment: dict[str, str], tmp_path: Path) -> None:
    with FakeServer(address=f"unix:{tmp_path}/s") as server:
        assert ask(Config(tls_ca="/nowhere.pem"), environment, server.address) == "artist"


def test_a_wrong_token_is_the_servers_own_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("another-token")
    with FakeServer() as server:
        error = refusal(Config(token_file=str(tmp_path / "mine")), environment, server.address)
    assert (error.code, error.message) == ("server.unauthenticated", "The token is wrong.")


def test_a_token_that_is_not_there_says_what_to_do(environment: dict[str, str], tmp_path: Path) -> None:
    nobody = {"XDG_STATE_HOME": str(tmp_path / "nobody")}
    error = refusal(Config(), nobody, "127.0.0.1:7476")
    assert error.code == "server.unauthenticated"
    assert "127.0.0.1:7476" in error.message and "void-server serve" in error.message
    error = refusal(Config(token_file=str(tmp_path / "none")), environment, "127.0.0.1:7476")
    assert str(tmp_path / "none") in error.message and "token_file" in error.message
    error = refusal(Config(), environment, "gpu-box:7476")
    assert error.code == "server.unauthenticated" and "gpu-box" in error.message, "ours is not for other machines"


@pytest.mark.parametrize(("text", "said"), [("", "0 words"), ("artist secret", "2 words"), ("t\xf6ken", "plain text")])
def test_a_token_file_holds_one_word(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(text, encoding="utf-8")
    with pytest.raises(ServerError, match=said) as caught:
        read_token(Config(token_file=str(tmp_path / "token")), {}, "gpu-box:1")
    assert "secret" not in caught.value.message, "tokens are never shown"


def test_tls_is_used_where_an_authority_is_named(
    secure: FakeServer, authority: trustme.CA, environment: dict[str, str], tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    assert ask(Config(tls_ca=str(tmp_path / "ca.pem")), environment, secure.address) == "artist"


def test_a_certificate_of_somebody_else_is_not_trusted(
    secure: FakeServer, environment: dict[str, str], tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    error = refusal(Config(tls_ca=str(tmp_path / "other.pem")), environment, secure.address)
    assert error.code == "server.tls" and secure.address in error.message and "tls_ca" in error.message
    assert not secure.calls


@pytest.mark.parametrize("name", ["tls_ca", "tls_cert"])
def test_a_file_of_tls_that_cannot_be_read_is_named(name: str, environment: dict[str, str], tmp_path: Path) -> None:
    config = Config(tls_key=__file__ if name == "tls_cert" else "")
    error = refusal(replace(config, **{name: str(tmp_path / "none.pem")}), environment, "127.0.0.1:1")
    assert error.code == "server.tls" and name in error.message and "none.pem" in error.message


def test_a_certificate_without_its_key_is_refused(environment: dict[str, str]) -> None:
    error = refusal(Config(tls_cert=__file__), environment, "127.0.0.1:1")
    assert error.code == "server.tls" and "tls_key" in error.message


def first_bytes(listener: socket.socket) -> bytes:
    listener.settimeout(20)
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(20)
        return connection.recv(16)


@pytest.mark.parametrize(("insecure", "greeting"), [(False, b"\x16\x03"), (True, b"PRI * HTTP/2.0")])
def test_a_token_leaves_this_machine_only_encrypted_unless_told_otherwise(
    insecure: bool, greeting: bytes, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text(TOKEN)
    config = Config(token_file=str(tmp_path / "mine"), insecure=insecure)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # It is none of the loopback addresses, yet leads here.
        address = f"0.0.0.0:{listener.getsockname()[1]}"
        assert not is_loopback(address)
        channel = open_channel(config, environment, address)
        # A call connects; asking whether the channel is ready begins a thread that may find it closed.
        waiting = channel.unary_unary("/any/Call").future(b"", timeout=20, wait_for_ready=True)
        assert first_bytes(listener).startswith(greeting)
        waiting.cancel()
        channel.close()


def test_expired_certificates_are_told_as_such(environment: dict[str, str], tmp_path: Path) -> None:
    import datetime

    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", not_after=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with FakeServer(credentials=grpc.ssl_server_credentials([pair])) as server:
        error = refusal(Config(tls_ca=str(tmp_path / "ca.pem")), environment, server.address)
    assert error.code == "server.tls" and "expired" in error.message


def test_grpc_itself_repeats_a_call_that_lost_its_connection(environment: dict[str, str]) -> None:
    with FakeServer() as server:
        server.faults["ListEngines"].extend(["drop", "drop"])
        assert ask(Config(), environment, server.address) == "artist"
        assert server.calls["ListEngines"] == 3
