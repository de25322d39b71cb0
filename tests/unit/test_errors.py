import pytest

from void_plugin import errors
from void_plugin.errors import CODES, DEFAULT_CODES, Cancelled, JobError, RequestError, VoidError, from_code

TREE = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, VoidError)]

# The names gRPC gives its statuses; the ground may not import grpc to ask.
STATUSES = {
    "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
}  # fmt: skip


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_error_class_is_in_the_tree_of_the_docstring_and_has_a_default_code(kind: type[VoidError]) -> None:
    assert errors.__doc__ is not None and kind.__name__ in errors.__doc__
    assert kind("A sentence.").code == DEFAULT_CODES[kind]


@pytest.mark.parametrize("code", CODES)
def test_every_code_belongs_to_the_class_of_its_prefix_and_has_a_real_status(code: str) -> None:
    row = CODES[code]
    assert row.error.__name__.lower() == code.split(".")[0] + "error"
    assert row.status in STATUSES
    assert 0 < row.exit_code < 128


@pytest.mark.parametrize("code", CODES)
def test_an_error_is_rebuilt_from_its_code_and_sentence(code: str) -> None:
    error = from_code(code, "The plate a.1001.exr is damaged.")
    assert (type(error), error.code, error.message) == (CODES[code].error, code, "The plate a.1001.exr is damaged.")
    assert (error.status, error.retryable, error.exit_code) == CODES[code][1:]


def test_a_code_of_a_newer_server_becomes_a_job_error_with_the_same_sentence() -> None:
    error = from_code("job.sunspots", "The sun interferes; wait.")
    assert type(error) is JobError
    assert str(error) == "The sun interferes; wait."


def test_an_unknown_code_cannot_be_raised_by_mistake() -> None:
    with pytest.raises(KeyError, match=r"request\.typo"):
        RequestError("A sentence.", "request.typo")


def test_cancelling_is_no_error() -> None:
    assert not issubclass(Cancelled, VoidError)
