"""The list of uploaded files that comes with a submit: checked against the request, and what follows from it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from void_plugin import wire
from void_plugin.errors import FrameError, RequestError, ServerError
from void_plugin.frames import FrameRange, contiguous, describe
from void_plugin.request import INPUTS, RemovalRequest
from void_plugin.v1 import job_service_pb2
from void_server.settings import Identity

LONGEST_NAME = 200
"""Bytes of an uploaded file's name: file systems end at 255, and results get a frame number."""

Digests = Mapping[str, Mapping[str, str]]
"""SHA-256 by input and frame number."""


def listed_digests(
    request: RemovalRequest, uploads: job_service_pb2.UploadTransfer, identity: Identity
) -> dict[str, dict[str, str]]:
    """SHA-256 by input and frame. Raises RequestError where the list does not fit the request."""
    most = identity.limits.max_frames * len(INPUTS)
    if len(uploads.frames) > most:
        raise ServerError(f"{len(uploads.frames)} files are more than the {most} of one job here.", "server.limit")
    found: dict[str, dict[str, str]] = {}
    for frame in uploads.frames:
        name = wire.INPUT_NAMES.get(frame.input)
        if name is None or request.input(name) is None:
            raise RequestError(
                f"Frame {frame.frame} belongs to the input {name or frame.input}, which the request does not have; "
                "send only files of its inputs."
            )
        listed = found.setdefault(name, {})
        if str(frame.frame) in listed:
            raise RequestError(f"Frame {frame.frame} of the {name.replace('_', ' ')} is listed twice; list it once.")
        if listed and request.sequence(name).is_still:
            raise RequestError(f"The {name.replace('_', ' ')} is one still, but several files are listed for it.")
        listed[str(frame.frame)] = wire.digest_from_message(frame.digest).sha256
    if "plate" not in found:
        raise RequestError("No file of the plate is listed; list every uploaded file with its frame number.")
    _refuse_gaps(request, found)
    return found


def _refuse_gaps(request: RemovalRequest, found: Digests) -> None:
    wanted = request.shot_range or request.frames
    if wanted is None or request.sequence("plate").is_still:
        return
    missing = [frame for frame in wanted if str(frame) not in found["plate"]]
    if missing:
        raise FrameError(
            f"Frames {describe(missing)} of the plate were not uploaded, but {wanted} is asked for; upload them or "
            "ask for a range without them.",
            "frame.missing",
        )


def span_of(digests: Digests) -> FrameRange | None:
    """The frames of the plate that were uploaded."""
    span, _ = contiguous([int(frame) for frame in digests["plate"]])
    return span


def file_name(pattern: str) -> str:
    """The last part of a pattern from any system, safe as a name of one file here."""
    name = re.split(r"[/\\]", pattern)[-1]
    if name in ("", ".", "..") or len(os.fsencode(name)) > LONGEST_NAME:
        raise RequestError(
            f"The pattern {pattern[:200]!r} ends in no usable file name; use at most {LONGEST_NAME} bytes.",
            "request.pattern",
        )
    return name
