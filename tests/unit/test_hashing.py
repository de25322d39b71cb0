"""The digest computed beside the work is the digest."""

import contextlib
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from void_plugin.hashing import DigestBeside
from void_plugin.heap import keep_memory_together


@given(st.lists(st.binary(max_size=5000), max_size=8))
def test_pieces_give_the_digest_of_the_whole(pieces: list[bytes]) -> None:
    with contextlib.closing(DigestBeside()) as beside:
        for piece in pieces:
            beside.update(piece)
        assert beside.hexdigest() == hashlib.sha256(b"".join(pieces)).hexdigest()


def test_a_digest_can_be_looked_at_on_the_way() -> None:
    with contextlib.closing(DigestBeside()) as beside:
        beside.update(b"one")
        assert beside.hexdigest() == hashlib.sha256(b"one").hexdigest()
        beside.update(b"two")
        assert beside.hexdigest() == hashlib.sha256(b"onetwo").hexdigest()


def test_the_heap_can_be_told_more_than_once() -> None:
    for _ in range(2):
        keep_memory_together()
