"""Callbacks: `nuke.addOnCreate` and its like, and the Python knobs of the same names.

Adding follows the published source of `nuke_internal.callbacks`: a callback stands once in a list, and arguments that
are no tuple are one argument. What an exception in one does is not public: here it is kept as printed, but for those
around a render, which end it.
"""

from .bench import BENCH
from .knob import run_python
from .strict import function

KINDS = (
    "onUserCreate",
    "onCreate",
    "onDestroy",
    "onScriptLoad",
    "onScriptSave",
    "onScriptClose",
    "knobChanged",
    "updateUI",
    "autolabel",
    "beforeRender",
    "beforeFrameRender",
    "afterFrameRender",
    "afterRender",
)
_WITH_NODE = ("knobChanged",)


class Callbacks(object):
    """The registered callables of every kind, by node class."""

    def __init__(self, graph):
        self._graph = graph
        self.registered = {kind: {} for kind in KINDS}

    def add(self, kind, call, args, kwargs, node_class, node=None):
        if not callable(call):
            raise ValueError("call must be a callable")
        if not isinstance(kwargs, dict):
            raise ValueError("kwargs must be a dictionary")
        found = self.registered[kind].setdefault(node_class, [])
        record = (call, args if isinstance(args, tuple) else (args,), kwargs, node)
        if record in found:
            found.remove(record)
        found.append(record)

    def remove(self, kind, call, args, kwargs, node_class, node=None):
        found = self.registered[kind].get(node_class, [])
        record = (call, args if isinstance(args, tuple) else (args,), kwargs, node)
        if record in found:
            found.remove(record)

    def records(self, kind, node):
        """The registered callbacks that concern a node: those of its class first."""
        listed = self.registered[kind]
        found = list(listed.get(node._class, [])) + list(listed.get("*", []))
        return [record for record in found if record[3] is None or record[3] is node]

    def run(self, kind, node, raising=False):
        """Runs a node's own Python of a kind, then the registered ones; `node` is `nuke.thisNode()` by then."""
        knob = node._knobs.get(kind)
        if knob is not None and knob._value:
            run_python(knob._value, "{} of {}".format(kind, node._full_name()))
        for call, args, kwargs, _ in self.records(kind, node):
            with BENCH.event("{} of {}".format(kind, node._full_name())):
                try:
                    call(*args, **kwargs)
                except Exception:
                    if raising:
                        raise
                    BENCH.printed()

    def label(self, node):
        """What `autolabel` makes of a node: the first answer that is not None, of the callback added last."""
        for call, args, kwargs, _ in reversed(self.records("autolabel", node)):
            with BENCH.event("autolabel of {}".format(node._full_name())):
                try:
                    answer = call(*args, **kwargs)
                except Exception:
                    BENCH.printed()
                    answer = None
            if answer is not None:
                return answer
        return None


def functions(graph):
    """Makes the functions that add and remove callbacks part of `nuke`."""

    def define(kind):
        title = kind[0].upper() + kind[1:]

        def add(call, args=(), kwargs=None, nodeClass="*", node=None):
            graph.callbacks.add(kind, call, args, {} if kwargs is None else kwargs, nodeClass, node)

        def remove(call, args=(), kwargs=None, nodeClass="*", node=None):
            graph.callbacks.remove(kind, call, args, {} if kwargs is None else kwargs, nodeClass, node)

        function(name="add" + title)(add)
        function(name="remove" + title)(remove)

    for kind in KINDS:
        define(kind)
