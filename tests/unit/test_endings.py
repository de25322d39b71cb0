"""How the end of a child process is told."""

import signal
import sys
from pathlib import Path

import pytest

from void_plugin.endings import how_it_ended, last_line


@pytest.mark.skipif(sys.platform == "win32", reason="a child is not ended by signals there")
def test_an_end_is_told_in_words_even_where_the_signal_has_no_name() -> None:
    assert how_it_ended(3) == "ended with exit code 3"
    assert how_it_ended(-signal.SIGSEGV) == "was killed by SIGSEGV"
    assert how_it_ended(-99) == "was killed by signal 99"


def test_the_last_words_are_those_of_this_run_and_not_of_an_earlier_one(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("MemoryError: of yesterday\n")
    start = log.stat().st_size
    assert last_line(str(log), start) == ""
    with open(log, "a") as stream:
        stream.write("first\n  last words  \n\n")
    assert last_line(str(log), start) == "last words"
