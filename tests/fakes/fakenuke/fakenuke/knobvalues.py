"""The values of one node's knobs at one frame, expressions worked out, and refusals of what cannot be computed."""

from .bench import NotModelled


class Values(object):
    """The values of a node's knobs at a frame."""

    def __init__(self, node, frame):
        self._node, self._frame = node, frame

    def number(self, name):
        return self._node._knobs[name]._number(0, self._frame)

    def numbers(self, name):
        return self._node._knobs[name]._numbers(self._frame)

    def text(self, name):
        knob = self._node._knobs[name]
        return knob._entry_at(self._frame) if hasattr(knob, "_entry_at") else knob._value

    def only(self, name, value):
        """Raises NotModelled when a knob has another value than the one that can be computed."""
        if self.text(name) != value:
            raise NotModelled("{} {} of {}".format(name, self.text(name), self._node._full_name()))

    def refuse(self, *names):
        for name in names:
            if self.number(name):
                raise NotModelled("{} of {}".format(name, self._node._full_name()))
