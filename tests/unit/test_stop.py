"""Being told to stop, at the worst of moments."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from void_server.stop import Stop

SERVER = str(Path(__file__).parents[2] / "server")
INTERRUPTED_ANYWHERE = """
import itertools, os, signal, sys, threading
from void_server.stop import Stop

stop, steps = Stop(signal.SIGTERM), itertools.count()
here = int(sys.argv[1])

def between_two_steps(frame, event, argument):
    if next(steps) == here:
        os.kill(os.getpid(), signal.SIGTERM)
    return between_two_steps

sys.settrace(between_two_steps)
heard = stop.wait(20)
sys.settrace(None)
print("heard" if heard else "slept", next(steps) > here)
"""


def run(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env={"PYTHONPATH": SERVER}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("step", range(4))
def test_a_signal_between_any_two_steps_of_waiting_is_heard(step: int) -> None:
    assert run(INTERRUPTED_ANYWHERE, str(step)) == "heard True"


def test_a_signal_that_comes_in_python_s_back_wakes_whoever_waits() -> None:
    code = """
import os, signal, threading, time
from void_server.stop import Stop

stop = Stop(signal.SIGTERM)
# Another thread gets it, so that nothing interrupts the main one.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
other = threading.Thread(target=lambda: (signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM}), time.sleep(2)))
other.start()
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
begun = time.monotonic()
print(stop.wait(20), time.monotonic() - begun < 10)
"""
    assert run(code) == "True True"


def test_workers_hear_a_signal_that_a_main_thread_waiting_for_them_does_not() -> None:
    code = """
import os, signal, threading, time
from void_server.stop import Stop

stop, heard = Stop(signal.SIGTERM), []

def work():
    time.sleep(0.3)  # until the main thread waits
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)  # which wakes nobody but this one
    end = time.monotonic() + 10
    while not stop.is_set() and time.monotonic() < end:
        time.sleep(0.01)
    heard.append(time.monotonic() < end)

waiting = threading.Thread(target=lambda: heard.append(stop.wait(10)))
worker = threading.Thread(target=work)
waiting.start()
worker.start()
worker.join()
waiting.join()
print(heard)
"""
    assert run(code) == "[True, True]"


def test_a_thread_may_ask_and_ask_again() -> None:
    stop = Stop()
    assert not stop.is_set() and not stop.wait(0.01)
    threading.Timer(0.05, stop.set).start()
    assert stop.wait() and stop.is_set() and stop.wait(0)
    for _ in range(100_000):  # more than a pipe holds
        stop.set()


def test_waiting_ends_in_time_where_nobody_asks() -> None:
    begun = time.monotonic()
    assert not Stop().wait(0.2)
    assert 0.15 < time.monotonic() - begun < 5
