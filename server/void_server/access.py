"""Who may call the server: tokens, the identities behind them, and the refusal of everybody else.

A server that only this machine can reach makes a token itself, which the clients of the same user find in the state
folder. Any other has a file of tokens, one for each identity. No token is ever logged, shown or sent back.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import pwd
import re
import secrets
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import grpc

from void_plugin.errors import ServerError
from void_plugin.wire import status_of
from void_server.settings import NAME, Identity, IdentitySettings, ServerSettings

SHORTEST_TOKEN = 16
"""Characters; anything shorter could be guessed."""
WITHOUT_TOKEN = "/grpc.health.v1.Health/"
"""What probes of load balancers may ask without a token: they carry none and learn only up or down."""

_TOKEN = re.compile(rf"[!-~]{{{SHORTEST_TOKEN},512}}\Z")
"""What can stand in a header: visible ASCII."""


@dataclass(frozen=True)
class _Row:
    digest: bytes
    identity: Identity


class Access:
    """The identities of one server, by token."""

    def __init__(self, settings: ServerSettings) -> None:
        if settings.token_file:
            tokens = _read_tokens(settings.token_file)
        else:
            tokens = {_user(): _own_token(settings.state)}
        for name in settings.identities:
            if name not in tokens:
                raise ServerError(
                    f"The settings have an identity {name}, who has no token; add a line for it to the token file "
                    f"({settings.token_file or 'none is given'}), or correct the name.",
                    "server.start",
                )
        self._rows = tuple(
            _Row(_digest(token), _identity(name, settings, alone=not settings.token_file))
            for name, token in tokens.items()
        )

    @property
    def identities(self) -> tuple[Identity, ...]:
        """Everybody who has a token."""
        return tuple(row.identity for row in self._rows)

    def identify(self, metadata: Sequence[tuple[str, str | bytes]] | None) -> Identity:
        """Who makes a call. Raises ServerError where its metadata has no token, or none that is known."""
        value = next((value for key, value in metadata or () if key.lower() == "authorization"), None)
        return self.identify_header(value.decode("latin-1") if isinstance(value, bytes) else value)

    def identify_header(self, value: str | None) -> Identity:
        """Who sends an `Authorization` header. Raises ServerError where it has no token, or none that is known."""
        scheme, _, token = (value or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise ServerError(
                "This server wants a token and the call has none; set token_file in the client's configuration, or run "
                "as the user who runs the server.",
                "server.unauthenticated",
            )
        digest = _digest(token.strip())
        found = None
        for row in self._rows:  # all of them, so that the time says nothing
            if hmac.compare_digest(row.digest, digest):
                found = row.identity
        if found is None:
            raise ServerError(
                "The token of this call is not one of this server's; ask whoever runs it for a token, and look whether "
                "token_file is the file for this server.",
                "server.unauthenticated",
            )
        return found

    def interceptor(self, refused: Callable[[str], None]) -> grpc.ServerInterceptor:
        """What ends every call without a known token before it reaches a service; `refused` is told the code."""
        return _Interceptor(self, refused)


class _Interceptor(grpc.ServerInterceptor):
    def __init__(self, access: Access, refused: Callable[[str], None]) -> None:
        self._access, self._refused = access, refused

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        if handler_call_details.method.startswith(WITHOUT_TOKEN):
            return continuation(handler_call_details)
        try:
            self._access.identify(handler_call_details.invocation_metadata)
        except ServerError as error:
            refusal = error
            self._refused(error.code)

            def refuse(_: Any, context: grpc.ServicerContext) -> NoReturn:
                context.abort_with_status(status_of(refusal))

            # Of this kind for all calls: it waits for no message, and for a single answer the status is enough.
            return grpc.stream_stream_rpc_method_handler(refuse)
        return continuation(handler_call_details)


def _digest(token: str) -> bytes:
    # Of equal length whatever was sent, so that comparing takes equal time.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _identity(name: str, settings: ServerSettings, alone: bool) -> Identity:
    own = settings.identities.get(name, IdentitySettings())
    return Identity(
        name=name,
        namespace=own.namespace or settings.namespace or name,
        roots=settings.roots if own.roots is None else own.roots,
        # Whoever runs a server for themselves owns all that is in it.
        supervisor=alone if own.supervisor is None else own.supervisor,
        limits=own.limits or settings.limits,
    )


def _user() -> str:
    """The name of the user who runs this, as the name of an identity."""
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:  # common in containers
        name = ""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return name if NAME.match(name) else f"user-{number}"


# -- the token that a server makes itself -------------------------------------------------------------------------


def _own_token(state: Path) -> str:
    """The token in the state folder, made where there is none that only this user can read."""
    path = state / "token"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = _kept_token(path)
        if kept is not None:
            return kept
        token = secrets.token_urlsafe(32)
        temporary = path.with_name(f".token.{os.getpid()}.tmp")
        temporary.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
                stream.write(token + "\n")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ServerError(
            f"The token of this server cannot be kept in {path}: {error.strerror or error}; choose a --state folder "
            "that this user may write.",
            "server.start",
        ) from error
    return token


def _kept_token(path: Path) -> str | None:
    """The token of an earlier run; None where there is none, or others may have read it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as stream:
        facts = os.fstat(descriptor)
        token = stream.read(1024).strip() if stat.S_ISREG(facts.st_mode) else ""
    if _TOKEN.match(token) and facts.st_uid == os.getuid() and not facts.st_mode & 0o077:
        return token
    logging.getLogger(__name__).warning("others could read or change %s; it is replaced by a new token", path)
    return None


# -- the token file -----------------------------------------------------------------------------------------------


def _read_tokens(path: str) -> Mapping[str, str]:
    """Token by name. Raises ServerError where the file is not secret, or a line cannot be used."""
    try:
        with open(path, encoding="utf-8", opener=_open_quickly) as stream:
            facts = os.fstat(stream.fileno())
            lines = stream.read(1 << 20).splitlines() if stat.S_ISREG(facts.st_mode) else []
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ServerError(
            f"The token file {path} cannot be read: {reason}; correct --token-file.", "server.start"
        ) from error
    if not stat.S_ISREG(facts.st_mode):
        raise ServerError(f"The token file {path} is no regular file; correct --token-file.", "server.start")
    if facts.st_uid not in (0, os.getuid()):
        raise ServerError(
            f"The token file {path} belongs to another user (number {facts.st_uid}), who could change it; make it "
            "belong to the user who runs the server: chown.",
            "server.start",
        )
    if facts.st_mode & 0o077:
        raise ServerError(
            f"The token file {path} is open to others (mode {stat.S_IMODE(facts.st_mode):04o}); chmod 600 {path}, "
            "and change the tokens if somebody may have seen them.",
            "server.start",
        )
    tokens: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        problem = _problem(words, tokens)
        if problem:
            raise ServerError(f"Line {number} of the token file {path} {problem}.", "server.start")
        tokens[words[0]] = words[1]
    if not tokens:
        raise ServerError(f"The token file {path} has no line `NAME TOKEN`; add one for each user.", "server.start")
    return tokens


def _open_quickly(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _problem(words: Sequence[str], tokens: Mapping[str, str]) -> str:
    """What is wrong with a line; empty where nothing is. Repeats no word of it: which one is the token is not sure."""
    if len(words) != 2:
        return "must be a name, a space and a token"
    name, token = words
    if not NAME.match(name):
        return "begins with what is no name (A-Z a-z 0-9 _ . -, at most 64, no dot in front, not `incoming`)"
    if not _TOKEN.match(token):
        return f"has a token that is shorter than {SHORTEST_TOKEN} characters or not plain ASCII"
    if name in tokens:
        return "names somebody who has a line already; give each user one"
    if token in tokens.values():
        return "has a token that another line has as well; give each user their own"
    return ""
