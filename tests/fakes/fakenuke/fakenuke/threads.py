"""Nuke's main thread: what may be called from others, and the queue of what they post to it.

From the published source of `nuke_internal.executeInMain`: posting returns at once; `…WithResult` waits without a
limit, so that on the main thread itself it would wait for ever, and an exception becomes a printed traceback and None.
"""

import collections
import threading
import time

from .bench import BENCH
from .strict import function


class MainThread(object):
    """The queue of posted calls. A test plays Nuke's event loop with `pump`."""

    def __init__(self):
        self._posted = collections.deque()
        self._arrived = threading.Condition()

    def post(self, call, args, kwargs, done=None):
        if not isinstance(args, tuple):
            raise BENCH.fault(
                "args of a posted call is {!r}, no tuple: Nuke would pass it as one argument".format(args)
            )
        if not callable(call):
            raise BENCH.fault("{!r} was posted, which cannot be called".format(call))
        with self._arrived:
            self._posted.append((call, args, kwargs, done))
            self._arrived.notify_all()

    def __len__(self):
        return len(self._posted)

    def _one(self, timeout):
        with self._arrived:
            if not self._posted and timeout > 0:
                self._arrived.wait(timeout)
            return self._posted.popleft() if self._posted else None

    def pump(self, until=None, timeout=0.0):
        """Runs posted calls, in order. Gives how many ran.

        Without `until`, runs what is there. With it, goes on until it is true: TimeoutError after `timeout` seconds.
        """
        end, count = time.monotonic() + timeout, 0
        while not (until is not None and until()):
            left = end - time.monotonic()
            if until is not None and left <= 0:
                raise TimeoutError("it did not come true within {} s; {} posted calls ran".format(timeout, count))
            posted = self._one(min(left, 0.02) if until is not None else 0.0)
            if posted is None:
                if until is None:
                    return count
                continue
            count += 1
            self._run(*posted)
        return count

    def _run(self, call, args, kwargs, done):
        result = None
        with BENCH.event("posted {}".format(getattr(call, "__name__", call))):
            try:
                result = call(*args, **kwargs)
            except Exception:
                BENCH.printed()
        if done is not None:
            done(result)


MAIN = MainThread()


@function(any_thread=True)
def executeInMainThread(call, args=(), kwargs=None):
    MAIN.post(call, args, kwargs or {})


@function(any_thread=True)
def executeInMainThreadWithResult(call, args=(), kwargs=None):
    if threading.current_thread() is BENCH.main:
        raise BENCH.fault("executeInMainThreadWithResult on the main thread waits for itself for ever")
    answered, answers = threading.Event(), []

    def done(result):
        answers.append(result)
        answered.set()

    MAIN.post(call, args, kwargs or {}, done)
    answered.wait()
    return answers[0]
