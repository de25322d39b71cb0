"""Works out which operations on which files make one frame of a node: groups, switches, times and expressions vanish.

The renderer gets a list of operations, each with the places of its inputs in the list. What it cannot do, and what
would need colour management, raises NotModelled: a picture that is silently wrong would be worse than none.
"""

from .bench import NotModelled
from .knobvalues import Values
from .textknobs import with_frame

_LINEAR = ("linear", "scene_linear")


class Plan(object):
    """The operations of one picture, at one frame and view."""

    def __init__(self, graph, view):
        self._graph, self._view = graph, view
        self.operations = []
        self._known = {}

    def of(self, node, frame):
        """The place of a node's picture in the list."""
        key = (id(node), frame)
        if key not in self._known:
            self._known[key] = self._make(node, frame)
        return self._known[key]

    def _add(self, name, inputs, **how):
        how.update(operation_name=name, inputs=inputs)
        self.operations.append(how)
        return len(self.operations) - 1

    def _black(self):
        return self._add("black", [], **self._size(self._graph.root._knobs["format"]._format()))

    def _size(self, shape):
        return {"size": [shape.width(), shape.height()], "pixel_aspect": shape.pixelAspect()}

    def _input(self, node, index, frame, needed=False):
        """The picture on an input: None, or black where one is needed."""
        one = node._inputs[index] if index < len(node._inputs) else None
        if one is None:
            return self._black() if needed else None
        return self.of(one, frame)

    def _make(self, node, frame):
        if node is None:
            return self._black()
        kind = node._class
        values = Values(node, frame)
        if hasattr(node, "_children"):
            return self._group(node, frame, values)
        if kind == "Input":
            return self._group_input(node, frame)
        if "disable" in node._knobs and values.number("disable"):
            return self._input(node, 0, frame, needed=True)
        maker = getattr(self, "_" + kind.lower(), None)
        if maker is None:
            raise NotModelled("the pixels of a {} ({})".format(kind, node._full_name()))
        return maker(node, frame, values)

    # -- groups and what passes its picture on

    def _group(self, node, frame, values):
        if values.number("disable"):
            return self._input(node, 0, frame, needed=True)
        output = node._output()
        if output is None:
            raise RuntimeError("{}: no Output in the group".format(node._full_name()))
        return self.of(output, frame)

    def _group_input(self, node, frame):
        group = node._parent
        if group._parent is None:
            return self._black()
        return self._input(group, group._input_nodes().index(node), frame, needed=True)

    def _passed(self, node, frame, values):
        return self._input(node, 0, frame, needed=True)

    _dot = _noop = _output = _write = _modifymetadata = _framerange = _viewer = _passed

    def _switch(self, node, frame, values):
        connected = len(node._connected())
        which = min(max(int(values.number("which")), 0), max(connected - 1, 0))
        return self._input(node, which, frame, needed=True)

    # -- other times

    def _timeoffset(self, node, frame, values):
        values.refuse("reverse_input", "enable_path_mask")
        return self._input(node, 0, frame - int(values.number("time_offset")), needed=True)

    def _framehold(self, node, frame, values):
        values.refuse("increment", "enable_path_mask")
        held = values.number("firstFrame") or values.number("first_frame")
        return self._input(node, 0, int(held), needed=True)

    # -- sources

    def _read(self, node, frame, values):
        self.plain_colours(node, values, reading=True)
        values.refuse("auto_alpha")
        first, last = int(values.number("first")), int(values.number("last"))
        # Frames that are not there are as large as those that are.
        shape = self._size(self._graph.facts(node).format)
        wanted = frame
        if not first <= frame <= last:
            outside = values.text("before" if frame < first else "after")
            if outside == "black":
                return self._add("black", [], **shape)
            if outside != "hold":
                raise NotModelled("{} outside the range of a Read".format(outside))
            wanted = min(max(frame, first), last)
        if values.text("frame_mode") != "expression" or values.text("frame"):
            raise NotModelled("a Read with a frame expression")
        text = node._knobs["file"]._evaluated(wanted)
        if not text:
            raise RuntimeError("{}: no file".format(node._full_name()))
        near = sorted(range(first, last + 1), key=lambda other: abs(other - wanted))[:200]
        return self._add(
            "read",
            [],
            node=node._full_name(),
            path=with_frame(text, wanted, self._view),
            others=[with_frame(text, other, self._view) for other in near],
            on_error=values.text("on_error"),
            **shape,
        )

    def plain_colours(self, node, values, reading=False):
        """Only pixels as they are in the file can be read and written here."""
        if values.number("raw"):
            return
        name = values.text("colorspace")
        if name == "default":
            name = self._graph.root._knobs["floatLut"]._value
        if name not in _LINEAR or not node._knobs["file"]._value.endswith(".exr"):
            raise NotModelled("{} is not raw and {} is not linear".format(node._full_name(), name))
        if not reading:
            raise NotModelled("{} is not raw".format(node._full_name()))

    def _constant(self, node, frame, values):
        shape = self._size(node._knobs["format"]._format())
        channels = ["rgba.red", "rgba.green", "rgba.blue", "rgba.alpha"]
        return self._add("constant", [], colour=values.numbers("color"), channels=channels, **shape)

    def _checkerboard2(self, node, frame, values):
        shape = self._size(node._knobs["format"]._format())
        colours = [values.numbers("color0"), values.numbers("color1")]
        return self._add("checkerboard", [], boxsize=values.numbers("boxsize"), colours=colours, **shape)

    # -- two pictures into one

    def _merge2(self, node, frame, values):
        values.only("Achannels", "rgba")
        values.only("Bchannels", "rgba")
        values.only("also_merge", "none")
        if len(node._connected()) > 3:
            raise NotModelled("a Merge2 of more than two pictures")
        below, above = self._input(node, 0, frame, needed=True), self._input(node, 1, frame)
        if above is None:
            return below
        how = self._masked(node, values, 2)
        inputs = [below, above, self._input(node, 2, frame)]
        how.update(operation=values.text("operation"), output=values.text("output"))
        return self._add("merge", inputs, **how)

    def _masked(self, node, values, index):
        connected = index < len(node._inputs) and node._inputs[index] is not None
        mask = values.text("maskChannelInput")
        if connected and mask == "none":
            mask = "rgba.alpha"
        return {
            "mask": mask if connected else "none",
            "invert_mask": bool(values.number("invert_mask")),
            "mix": values.number("mix"),
        }

    def _keymix(self, node, frame, values):
        return self._add(
            "keymix",
            [self._input(node, 0, frame, True), self._input(node, 1, frame, True), self._input(node, 2, frame, True)],
            mask=values.text("maskChannel"),
            invert_mask=bool(values.number("invertMask")),
            mix=values.number("mix"),
            channels=values.text("channels"),
        )

    def _channelmerge(self, node, frame, values):
        return self._add(
            "channelmerge",
            [self._input(node, 0, frame, True), self._input(node, 1, frame, True)],
            operation=values.text("operation"),
            A=values.text("A"),
            B=values.text("B"),
            output=values.text("output"),
            mix=values.number("mix"),
        )

    def _copy(self, node, frame, values):
        pairs = [(values.text("from%d" % index), values.text("to%d" % index)) for index in range(4)]
        return self._add(
            "copy",
            [self._input(node, 0, frame, True), self._input(node, 1, frame, True)],
            pairs=[pair for pair in pairs if "none" not in pair],
            channels=values.text("channels"),
        )

    def _shuffle2(self, node, frame, values):
        words = node._knobs["mappings"]._value.split()
        sides = [values.text("fromInput1") == "A", values.text("fromInput2") == "A"]
        pairs = [
            (words[at], sides[int(words[at + 1])] if int(words[at + 1]) >= 0 else False, words[at + 3])
            for at in range(1, len(words), 6)
        ]
        return self._add("shuffle", [self._input(node, 0, frame, True), self._input(node, 1, frame)], pairs=pairs)

    # -- one picture changed

    def _filter(self, name, node, frame, values, **how):
        values.only("unpremult", "none")
        inputs = [self._input(node, 0, frame, True), self._input(node, 1, frame)]
        how.update(self._masked(node, values, 1))
        return self._add(name, inputs, channels=values.text("channels"), **how)

    def _multiply(self, node, frame, values):
        return self._filter("multiply", node, frame, values, value=values.numbers("value"))

    def _invert(self, node, frame, values):
        values.refuse("clamp")
        return self._filter("invert", node, frame, values)

    def _clamp(self, node, frame, values):
        return self._filter(
            "clamp",
            node,
            frame,
            values,
            minimum=values.numbers("minimum")[0] if values.number("minimum_enable") else None,
            maximum=values.numbers("maximum")[0] if values.number("maximum_enable") else None,
        )

    def _premultiplied(self, node, frame, values):
        values.refuse("invert")
        how = {"mask": "none", "invert_mask": False, "mix": 1, "alpha": values.text("alpha")}
        inputs = [self._input(node, 0, frame, True), None]
        return self._add(node._class.lower(), inputs, channels=values.text("channels"), **how)

    _premult = _unpremult = _premultiplied

    def _remove(self, node, frame, values):
        keep = values.text("operation") == "keep"
        return self._add("keep", [self._input(node, 0, frame, True)], keep=keep, channels=values.text("channels"))

    def _addchannels(self, node, frame, values):
        channels = values.text("channels")
        names = ["rgba.red", "rgba.green", "rgba.blue", "rgba.alpha"] if channels == "rgba" else channels.split()
        names = ["rgba.alpha" if name == "alpha" else name for name in names if name != "none"]
        return self._add("add", [self._input(node, 0, frame, True)], channels=names, colour=values.numbers("color"))

    def _crop(self, node, frame, values):
        values.refuse("reformat", "intersect", "softness")
        return self._add("crop", [self._input(node, 0, frame, True)], box=values.numbers("box"))

    def _blur(self, node, frame, values):
        if any(values.numbers("size")):
            raise NotModelled("the pixels of a Blur")
        return self._passed(node, frame, values)

    def _reformat(self, node, frame, values):
        facts = self._graph.facts(node._inputs[0]) if node._connected() else None
        shape = node._knobs["format"]._format()
        same = facts and (facts.format.width(), facts.format.height()) == (shape.width(), shape.height())
        if values.text("type") != "to format" or not same:
            raise NotModelled("a Reformat to another size")
        return self._passed(node, frame, values)
