"""What would be in Nuke's undo list. Nothing is undone here: a test only sees which steps there would be."""

from .bench import BENCH
from .strict import Handle, handle


class UndoList(object):
    """Steps by name, each with how many changes it holds."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.entries = []
        """Finished steps, oldest first: [name, number of changes]."""
        self.disabled = 0
        self._open = []

    def note(self, what):
        """One change of the script."""
        if self.disabled:
            return
        if self._open:
            self._open[0][1] += 1
        else:
            self.entries.append([what, 1])

    def begin(self, name=""):
        self._open.append([name or "", 0])

    def end(self):
        if not self._open:
            raise BENCH.fault("nuke.Undo.end() without a begin()")
        step = self._open.pop()
        # Only the outermost step reaches the list, and only with something in it.
        if not self._open and step[1]:
            self.entries.append(step)

    def cancel(self):
        """Nuke takes back what the open step holds; here it is only forgotten."""
        if not self._open:
            raise BENCH.fault("nuke.Undo.cancel() without a begin()")
        self._open.pop()

    def name(self, name):
        if not self._open:
            raise BENCH.fault("nuke.Undo.name() without a begin()")
        self._open[-1][0] = name

    @property
    def depth(self):
        """How many steps are open."""
        return len(self._open)


def undo_class(graph):
    """`nuke.Undo` for a graph."""

    @handle
    class Undo(Handle):
        """Groups of changes that the artist takes back in one go; a context manager, as Nuke 17.1 documents it."""

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
            graph.undo.begin("")
            return self

        def __exit__(self, type, value, traceback):
            graph.undo.end()
            return False

    return Undo
