"""`nuke.fake`: how a test plays the person and the machine around the code under test, and asks what happened."""

import contextlib
import os

from .files import Watch
from .render import RGBA


class Control(object):
    """The test's side of the fake. Nothing of it exists in Nuke."""

    def __init__(self, graph, screen, bench, main, renders):
        self._graph, self._screen, self._bench, self._main = graph, screen, bench, main
        self._renders = renders
        self._evaluated = 0
        self._watch = Watch()

    # -- what happened

    @property
    def faults(self):
        """Rules of Nuke's that were broken, as sentences; kept even when the exception was caught."""
        return self._bench.faults

    @property
    def tracebacks(self):
        """Exceptions that left a posted call, callback or button, as Nuke would have printed them."""
        return self._bench.tracebacks

    @property
    def calls(self):
        """Calls into `nuke`: name, thread, seconds, event."""
        return self._bench.calls

    @property
    def events(self):
        """What the main thread did for the code under test: name, count of calls, longest call, seconds."""
        return self._bench.events

    @property
    def messages(self):
        """Message boxes: (kind, text)."""
        return self._screen.messages

    @property
    def tasks(self):
        """Progress bars on the screen: dicts of title, message, progress, updates."""
        return self._screen.tasks

    @property
    def finished_tasks(self):
        """Progress bars that are gone."""
        return self._screen.finished_tasks

    @property
    def printed(self):
        """What `nuke.tprint` printed."""
        return self._screen.printed

    @property
    def written(self):
        """Frames rendered: (full name of the Write, frame, view, path)."""
        return self._renders.written

    @property
    def undo_steps(self):
        """Steps in the undo list, oldest first: [name, number of changes]."""
        return [[step.name, len(step.reverts)] for step in self._graph.undo.steps]

    @property
    def posted(self):
        """How many posted calls wait."""
        return len(self._main)

    def trace(self):
        """What must be as before after any action: nodes, selection, context, root settings, open undo steps."""
        with self._bench.within():
            graph = self._graph
            nodes = graph.all_nodes(graph.root, True)
            return {
                "nodes": sorted(node._full_name() for node in nodes),
                "inputs": {
                    node._full_name(): [None if one is None else one._full_name() for one in node._connected()]
                    for node in nodes
                },
                "selection": sorted(node._full_name() for node in nodes if node._knobs["selected"]._value[0]),
                "context": [group._full_name() for group in graph.context],
                "root": {
                    name: knob._word()
                    for name, knob in graph.root._knobs.items()
                    if not knob._user and name not in ("xpos", "ypos")
                },
                "view": graph.view,
                "views": list(graph.views),
                "modified": graph.modified,
                "undo": [graph.undo.depth, graph.undo.disabled],
                "tasks": len(self._screen.tasks),
            }

    # -- the person

    def press(self, node, button):
        """Presses a button of a node."""
        with self._bench.within():
            node[button].execute()

    def set(self, node, knob, value):
        """Changes a knob by hand."""
        with self._bench.within():
            node[knob].setValue(value)

    def answer(self, *answers):
        """What the next questions are answered with, in order."""
        self._screen.answers.extend(answers)

    def cancel_tasks(self, cancelled=True):
        """Presses Cancel on every progress bar, or lets go."""
        self._screen.cancel_tasks = cancelled

    def label_of(self, node):
        """What the registered autolabels make of a node, or None."""
        with self._bench.within(), self._graph.this_is(node):
            return self._graph.callbacks.label(node)

    def update_ui(self, node):
        """What Nuke runs to bring a node's look up to date."""
        with self._bench.within(), self._graph.this_is(node):
            self._graph.callbacks.run("updateUI", node)

    def undo(self):
        """Undoes the last step, as the artist does."""
        with self._bench.within():
            self._graph.undo.undo()

    # -- the machine

    def pump(self, until=None, timeout=60.0):
        """Runs what was posted to the main thread; with `until`, goes on until that is true."""
        return self._main.pump(until, timeout)

    def fail_at(self, number, error=None):
        """Lets the call into `nuke` after `number` more raise, once; counted from 0 and from now."""
        self._bench.fail(error or RuntimeError("ordered failure of call {}".format(number)), number)

    def fail_named(self, name, error=None, after=0):
        """Lets one call of a name (`nuke.executeMultiple`, `Node.setInput`) raise, once."""
        self._bench.fail(error or RuntimeError("ordered failure of {}".format(name)), after, name)

    def cancel_render_after(self, frames):
        """The person cancels the render once so many frames are written, counted from now."""
        self._renders.cancel_after = len(self._renders.written) + frames

    def fill_disk_after(self, frames):
        """The disk is full once so many frames are written; None empties it again."""
        self._renders.disk_full_after = None if frames is None else len(self._renders.written) + frames

    def evaluate(self, node, frame=None, channels=RGBA, view="main", path=""):
        """The path of a .npy file with a node's picture: float32, height x width x channels, top row first."""
        with self._bench.within():
            self._evaluated += 1
            path = path or os.path.abspath("evaluated{}.npy".format(self._evaluated))
            frame = self._graph.frame if frame is None else frame
            return self._renders.evaluate(node, frame, channels, view, path)

    def slow_files(self, seconds):
        """Notes every file access of this process from here on, and makes each take so much longer."""
        self._watch.begin(seconds)

    @property
    def file_calls(self):
        """File accesses since `slow_files`: name, what, thread, main."""
        return self._watch.calls

    @property
    def failures_left(self):
        """How many failures that were ordered have not come up yet."""
        return self._bench.ordered

    def event(self, name):
        """A context in which the code under test runs as one event, such as what a menu does."""
        return self._bench.event(name)

    def buttons_run_inside(self, inside=True):
        """Whether a button of a group runs in the context of that group; try both, for it is not public."""
        self._graph.buttons_inside = inside

    @contextlib.contextmanager
    def apart(self):
        """What the test does here, with `nuke` and with files, is neither counted nor checked."""
        with self._bench.within(), self._watch.aside():
            yield

    def close(self):
        """Ends what the fake started."""
        self._watch.end()
        self._renders.renderer.close()

    def reset_changes(self):
        """As after a save: nothing modified, nothing to undo."""
        self._graph.undo.clear()
        self._graph.modified = False

    def reset(self):
        """An empty script and empty records; callbacks stay registered."""
        with self._bench.within():
            self._graph.clear()
            self._screen.clear()
            self._renders.clear()
        self._bench.reset()
