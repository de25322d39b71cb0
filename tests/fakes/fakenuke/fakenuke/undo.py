"""Nuke's undo list: steps of changes, each of which knows how it is taken back.

`cancel` and the context manager follow the guide of Nuke 17.1. Taking back calls no callbacks; whether Nuke does is
not public. That a change marks the script modified even while undo is disabled is our stricter reading.
"""

from .bench import BENCH
from .strict import Handle, handle


class Step(object):
    """What one undo takes back."""

    def __init__(self, name):
        self.name = name
        self.reverts = []

    def revert(self):
        """Takes its changes back, the last one first."""
        while self.reverts:
            self.reverts.pop()()


class UndoList(object):
    """Finished steps, oldest first, and those that are open."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.steps = []
        self.disabled = 0
        self._open = []

    @property
    def depth(self):
        """How many steps are open."""
        return len(self._open)

    def note(self, what, revert):
        """One change of the script; outside of any step it is one by itself."""
        if self.disabled:
            return
        if self._open:
            self._open[-1].reverts.append(revert)
        else:
            self.steps.append(Step(what))
            self.steps[-1].reverts.append(revert)

    def begin(self, name=""):
        self._open.append(Step(name))

    def end(self):
        if not self._open:
            raise BENCH.fault("nuke.Undo.end() without a begin()")
        step = self._open.pop()
        if self._open:
            self._open[-1].reverts.extend(step.reverts)
        elif step.reverts:
            self.steps.append(step)

    def cancel(self):
        if self._open:
            self._open.pop().revert()

    def name(self, name):
        if not self._open:
            raise BENCH.fault("nuke.Undo.name() without a begin()")
        self._open[-1].name = name

    def undo(self):
        if self._open:
            raise BENCH.fault("undoing while a step is open")
        if self.steps:
            self.steps.pop().revert()


def undo_class(graph):
    """`nuke.Undo` for a graph."""

    @handle
    class Undo(Handle):
        """Groups of changes that the artist takes back in one go."""

        def __init__(self):
            pass

        @staticmethod
        def begin(name=""):
            graph.undo.begin(name)

        @staticmethod
        def end():
            graph.undo.end()

        @staticmethod
        def cancel():
            graph.undo.cancel()

        @staticmethod
        def new(name=""):
            graph.undo.end()
            graph.undo.begin(name)

        @staticmethod
        def name(name=""):
            graph.undo.name(name)

        @staticmethod
        def undo():
            graph.undo.undo()

        @staticmethod
        def undoSize():
            return len(graph.undo.steps)

        @staticmethod
        def disable():
            graph.undo.disabled += 1

        @staticmethod
        def enable():
            if not graph.undo.disabled:
                raise BENCH.fault("nuke.Undo.enable() without a disable()")
            graph.undo.disabled -= 1

        @staticmethod
        def disabled():
            return graph.undo.disabled > 0

        def __enter__(self):
            graph.undo.begin()
            return self

        def __exit__(self, type, value, traceback):
            graph.undo.end()
            return False

    return Undo
