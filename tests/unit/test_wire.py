"""Values survive the wire, and whatever else arrives becomes a sentence."""

import math
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_plugin import wire
from void_plugin.errors import CODES, FrameError, RequestError, ServerError, VoidError, from_code
from void_plugin.events import KINDS, Event, Failed, Finished, FrameReady, Queued, Stopped, Uploading, Warned
from void_plugin.frames import Digest, FrameRange
from void_plugin.request import INPUTS, ImageInput, Output, RemovalRequest
from void_plugin.settings import CHOICES, RenderSettings
from void_plugin.v1 import event_pb2, request_pb2

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
small = st.integers(0, 1000)
ranges = st.tuples(st.integers(-1000, 1000), small).map(lambda pair: FrameRange(pair[0], pair[0] + pair[1]))
inputs = st.builds(ImageInput, st.just("/in/a.%04d.exr"), st.lists(texts, max_size=2).map(tuple))


@st.composite
def requests(draw: st.DrawFn) -> RemovalRequest:
    optional = {name: draw(st.none() | inputs) for name in INPUTS if name not in ("plate", "object_matte", "quadmask")}
    frames = draw(ranges)
    return RemovalRequest(
        plate=draw(inputs),
        object_matte=draw(inputs),
        outputs=(Output("patch", "/out/a.%04d.exr"), Output("comp", "/out/b.%04d.exr")),
        **optional,
        frames=draw(st.none() | st.just(frames)),
        shot_range=draw(st.none() | st.just(frames)),
        handles=draw(small),
        context=draw(small),
        shot=draw(texts),
        view=draw(texts),
        colour=draw(texts),
        prompt=draw(texts),
        engine=draw(texts.filter(bool)),
        priority=draw(st.integers(0, 100)),
        roots=draw(st.dictionaries(texts, texts, max_size=2)),
        settings=RenderSettings(
            seed=draw(st.integers(-(2**63), 2**63 - 1)),
            encoding=draw(texts.filter(bool)),
            recover_grain=draw(st.sampled_from(["source", "clean"])),
            coverage_channel=draw(st.booleans()),
            weight_channel=draw(st.booleans()),
            change_channel=draw(st.booleans()),
            source_channel=draw(st.booleans()),
            **{name: draw(st.sampled_from(CHOICES[name])) for name in ("source", "grain", "detail", "rate")},
            fps=draw(st.floats(0, 1000)),
            affected_preset=draw(st.sampled_from(CHOICES["affected_preset"])),
            affected_angle=draw(st.floats(-90, 90)),
            affected_path=draw(texts),
            void_passes=draw(st.integers(1, 2)),
            void_steps=draw(st.integers(1, 1000)),
            void_pass2_steps=draw(st.integers(1, 1000)),
            void_guidance=draw(st.floats(1, 30)),
            void_mask_levels=draw(st.sampled_from(["three", "binary"])),
            void_short_clips=draw(st.sampled_from(["pad", "short"])),
            void_last_window=draw(st.sampled_from(["short", "full"])),
            void_all_windows=draw(st.booleans()),
            void_flow=draw(st.sampled_from(["dis", "raft"])),
            void_raster=draw(st.sampled_from(["672x384", "112x64"])),
        ),
        request_id="r-1",
    )


@given(requests())
def test_a_request_comes_back_as_it_was(request: RemovalRequest) -> None:
    message = request_pb2.RemovalRequest.FromString(wire.request_to_message(request).SerializeToString())
    assert wire.request_from_message(message, "r-1") == request


def message(**settings: Any) -> request_pb2.RemovalRequest:
    return request_pb2.RemovalRequest(
        plate=request_pb2.ImageInput(pattern="/p.%d.exr"),
        object_matte=request_pb2.ImageInput(pattern="/m.exr"),
        outputs=[request_pb2.Output(kind="patch", pattern="/o.%d.exr")],
        settings=request_pb2.RenderSettings(**settings),
    )


def test_what_a_client_leaves_out_of_the_settings_has_its_default() -> None:
    assert wire.request_from_message(message()).settings == RenderSettings()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"void_passes": 3}, "void_passes is 3; it can be 1 to 2"),
        ({"void_steps": -1}, "void_steps is -1; it can be 1 to 1000"),
        ({"void_guidance": math.nan}, "void_guidance is nan; it can be 1 to 30"),
        ({"void_flow": "farneback"}, "void_flow is 'farneback'; it can be dis or raft"),
        ({"void_raster": "672x380"}, "multiples of 16"),
    ],
)
def test_settings_that_void_cannot_have_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError) as caught:
        wire.request_from_message(message(**settings))
    assert said in caught.value.message


EVENTS = [
    *(kind(job="a", number=3) for kind in KINDS.values() if kind is not Uploading),
    Queued(position=4, eta_seconds=1.5),
    Warned(code="x", frame=0, text="t"),
    Warned(code="x", frame=None, text="t"),
    FrameReady(frame=-3, path="/a", digest="ab" * 32, coverage=0.5, output=1),
    Finished(result="/r", summary={"frames": 3, "engine": "recover", "low": [1]}, digest="cd" * 32),
    Failed(code="job.memory", text="lower it"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    message = event_pb2.Event.FromString(wire.event_to_message(event).SerializeToString())
    assert wire.event_from_message(message) == event


def test_an_event_of_an_unknown_kind_is_passed_over() -> None:
    assert wire.event_from_message(event_pb2.Event(job_id="a", number=7)) is None


def test_a_summary_that_is_no_json_is_an_error_of_the_server() -> None:
    message = event_pb2.Event(finished=event_pb2.Finished(summary_json="{"))
    with pytest.raises(ServerError, match="not JSON"):
        wire.event_from_message(message)


@pytest.mark.parametrize("sha256", ["", "ab", "AB" * 32, "ab" * 33, "../" * 21 + "a", "zz" * 32])
def test_what_is_no_digest_is_refused(sha256: str) -> None:
    with pytest.raises(FrameError, match="SHA-256"):
        wire.digest_from_message(request_pb2.Digest(sha256=sha256))


def test_a_digest_comes_back_as_it_was_and_no_file_has_a_negative_size() -> None:
    digest = Digest("ab" * 32, 5)
    assert wire.digest_from_message(wire.digest_to_message(digest)) == digest
    with pytest.raises(FrameError, match="-1 bytes"):
        wire.digest_from_message(request_pb2.Digest(sha256="ab" * 32, size_bytes=-1))


@pytest.mark.parametrize("field", ["shot", "prompt", "colour"])
def test_a_nul_character_is_refused_wherever_it_stands(field: str) -> None:
    message = wire.request_to_message(RemovalRequest(plate=ImageInput("/p.%d.exr"), object_matte=ImageInput("/m.exr"),
                                                     outputs=(Output("patch", "/o.%d.exr"),)))  # fmt: skip
    setattr(message, field, "a\0b")
    with pytest.raises(RequestError, match="NUL"):
        wire.request_from_message(message)


def test_a_request_without_a_plate_is_refused() -> None:
    with pytest.raises(RequestError, match="no plate"):
        wire.request_from_message(request_pb2.RemovalRequest())


class Call(grpc.RpcError, grpc.Call):  # type: ignore[misc]
    """A call that ended with a status, as the channel gives it."""

    def __init__(self, code: grpc.StatusCode, details: str, trailing: tuple[tuple[str, bytes], ...] = ()) -> None:
        self._code, self._details, self._trailing = code, details, trailing

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        return self._trailing

    def initial_metadata(self) -> tuple[()]:
        return ()

    def is_active(self) -> bool:
        return False

    def time_remaining(self) -> None:
        return None

    def cancel(self) -> bool:
        return False

    def add_callback(self, callback: object) -> bool:
        return False


def returned(error: VoidError, retry: float | None = None) -> Call:
    status = wire.status_of(error, retry)
    return Call(status.code, status.details, tuple(status.trailing_metadata))  # type: ignore[arg-type]


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_error_keeps_its_code_class_and_sentence(code: str) -> None:
    error = from_code(code, f"Frame 1001 of sh010 – {code}.")
    back = wire.error_from_call(returned(error), "127.0.0.1:1")
    assert (type(back), back.code, back.message) == (type(error), code, error.message)


def test_a_long_sentence_is_cut_to_what_a_header_can_carry() -> None:
    back = wire.error_from_call(returned(RequestError("x" * 100_000)), "a")
    assert len(back.message) == wire.LONGEST_SENTENCE and back.message.endswith("…")


def test_the_time_to_wait_travels_with_the_error() -> None:
    assert wire.retry_seconds(returned(ServerError("busy", "server.busy"), 2.5)) == 2.5
    assert wire.retry_seconds(returned(ServerError("busy", "server.busy"))) is None


@pytest.mark.parametrize(
    ("status", "details", "code", "said"),
    [
        (grpc.StatusCode.UNAVAILABLE, "connection refused", "server.unavailable", "check that it runs"),
        (grpc.StatusCode.UNAVAILABLE, "CERTIFICATE_VERIFY_FAILED: certificate has expired", "server.tls", "renew"),
        (grpc.StatusCode.UNAVAILABLE, "CERTIFICATE_VERIFY_FAILED: self signed", "server.tls", "tls_ca"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "", "server.timeout", "in time"),
        (grpc.StatusCode.UNAUTHENTICATED, "no", "server.unauthenticated", "token"),
        (grpc.StatusCode.PERMISSION_DENIED, "no", "server.forbidden", "allow"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!", "server.busy", "room"),
        (grpc.StatusCode.UNIMPLEMENTED, "Method not found!", "server.start", "version"),
        (grpc.StatusCode.INTERNAL, "oops", "server.internal", "INTERNAL"),
    ],
)
def test_a_failed_connection_is_told_with_the_address_and_what_to_do(
    status: grpc.StatusCode, details: str, code: str, said: str
) -> None:
    error = wire.error_from_call(Call(status, details), "farm01:7476")
    assert error.code == code and said in error.message and "farm01:7476" in error.message


def test_the_cancelled_event_has_its_own_place_on_the_wire() -> None:
    assert wire.event_to_message(Stopped(job="a", number=1)).WhichOneof("kind") == "cancelled"


def test_this_machine_has_one_digest() -> None:
    assert wire.machine_digest() == wire.machine_digest() and len(wire.machine_digest()) == 64
