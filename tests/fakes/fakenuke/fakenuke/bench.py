"""What the fake keeps about the code under test: its calls, on which thread, in which event, and its faults.

One `Bench` lives as long as the process, because the module `nuke` does. A *fault* is something that real Nuke would
punish with a hang, a crash or silence: it is raised and also kept, so that a test sees it even when it was caught.
"""

import contextlib
import threading
import time
import traceback
from collections import namedtuple

Call = namedtuple("Call", "name thread seconds event")
"""One call into `nuke` from outside: its name, its thread's name, how long it took, and the event it ran in."""


class Fault(RuntimeError):
    """The code under test broke a rule of Nuke's."""


class NotModelled(NotImplementedError):
    """Nuke has this, the fake does not; model it before relying on it."""


class Event(object):
    """One thing that the main thread did: a posted call, a pressed button, a callback."""

    def __init__(self, name):
        self.name = name
        self.count = 0
        """Calls into `nuke` during it."""
        self.longest = 0.0
        """Seconds that the longest of those calls took."""
        self.seconds = 0.0
        """Seconds from its start to its end."""

    def __repr__(self):
        return "<Event {!r}: {} calls, {:.4f} s>".format(self.name, self.count, self.seconds)


class Bench(object):
    """The records of one process; `reset` forgets them."""

    def __init__(self):
        self.main = threading.main_thread()
        self._local = threading.local()
        self._lock = threading.Lock()
        self.reset()

    def reset(self):
        """Forgets every record and injection."""
        self.faults = []
        self.tracebacks = []
        """What Nuke would have printed: exceptions that left a posted call or a callback."""
        self.calls = []
        self.events = []
        self._stack = []
        self._failures = []

    # -- depth: calls that the fake makes of itself are neither counted nor checked

    @property
    def inside(self):
        """Whether the fake itself is at work on this thread."""
        return getattr(self._local, "depth", 0) > 0

    @contextlib.contextmanager
    def within(self):
        """The fake at work: what it calls of itself is not the code under test."""
        depth = getattr(self._local, "depth", 0)
        self._local.depth = depth + 1
        try:
            yield
        finally:
            self._local.depth = depth

    @contextlib.contextmanager
    def outside(self):
        """The code under test at work again, called back by the fake."""
        depth = getattr(self._local, "depth", 0)
        self._local.depth = 0
        try:
            yield
        finally:
            self._local.depth = depth

    # -- records

    def fault(self, text):
        """Keeps a fault and gives the exception to raise."""
        self.faults.append(text)
        return Fault(text)

    def printed(self):
        """Keeps the exception being handled as what Nuke prints and forgets."""
        with self.within():
            self.tracebacks.append(traceback.format_exc())

    @contextlib.contextmanager
    def call(self, name, any_thread=False):
        """One call from outside; raises what was ordered by `fail`, and for a wrong thread."""
        thread = threading.current_thread()
        if thread is not self.main and not any_thread:
            raise self.fault("{} was called on the thread {!r}, not on the main thread".format(name, thread.name))
        event = self._stack[-1] if self._stack and thread is self.main else None
        with self._lock:
            index = len(self.calls)
            self.calls.append(None)
        began = time.perf_counter()
        try:
            with self.within():
                self._fail(name)
                yield
        finally:
            seconds = time.perf_counter() - began
            self.calls[index] = Call(name, thread.name, seconds, event.name if event else "")
            if event:
                event.count += 1
                event.longest = max(event.longest, seconds)

    @contextlib.contextmanager
    def event(self, name):
        """Something that the main thread does for the code under test, from its start to its end."""
        event = Event(name)
        self.events.append(event)
        self._stack.append(event)
        began = time.perf_counter()
        try:
            with self.outside():
                yield event
        finally:
            event.seconds = time.perf_counter() - began
            self._stack.pop()

    # -- errors to order

    def fail(self, error, after=0, name=""):
        """Lets the call after `after` more calls (of that name, or of any) raise `error`, once."""
        self._failures.append([error, after, name])

    @property
    def ordered(self):
        """How many ordered errors have not come up yet."""
        return len(self._failures)

    def _fail(self, name):
        for failure in list(self._failures):
            if failure[2] and failure[2] != name:
                continue
            if failure[1]:
                failure[1] -= 1
                continue
            self._failures.remove(failure)
            raise failure[0]


BENCH = Bench()
