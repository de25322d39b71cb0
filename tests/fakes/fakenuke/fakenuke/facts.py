"""What is known of a node's picture without computing it: format, data window, channels, frame range, metadata.

Most nodes show what their first input shows. The header of a Read's file tells the rest, read by the renderer.
"""

from .bench import NotModelled

_RGBA = ("rgba.red", "rgba.green", "rgba.blue", "rgba.alpha")


class Facts(object):
    """What is known of one node's picture."""

    def __init__(self, format, box, channels, first, last, metadata):
        self.format, self.box, self.channels = format, box, channels
        self.first, self.last, self.metadata = first, last, metadata

    def changed(self, **changes):
        """The same but for some of it."""
        return Facts(**dict(vars(self), **changes))


def default(graph):
    """The picture of nothing: the script's format and range, black."""
    root = graph.root
    shape = root._knobs["format"]._format()
    return Facts(shape, (0, 0, shape.width(), shape.height()), (), root.firstFrame(), root.lastFrame(), {})


def of(graph, node, header):
    """The facts of a node; `header(path)` gives what a file's header says, or None when it cannot be read."""
    kind, knobs = node._class, node._knobs
    if kind == "Read":
        return _read(graph, node, header)
    if kind in ("Constant", "CheckerBoard2", "ColorBars"):
        shape = knobs["format"]._format()
        box = (0, 0, shape.width(), shape.height())
        return default(graph).changed(format=shape, box=box, channels=_RGBA)
    if kind == "Input":
        group = node._parent
        index = group._input_nodes().index(node)
        outer = group._inputs[index] if index < len(group._inputs) else None
        return of(graph, outer, header) if outer is not None else default(graph)
    if hasattr(node, "_children") and kind != "Root":
        disabled = knobs["disable"].value()
        output = node._output() if not disabled else (node._inputs[0] if node._inputs else None)
        return of(graph, output, header) if output is not None else default(graph)
    source = node.input(int(knobs["which"].value())) if kind == "Switch" else node.input(0)
    found = of(graph, source, header) if source is not None else default(graph)
    if "disable" in knobs and knobs["disable"].value():
        return found
    if kind == "Reformat":
        if knobs["type"].value() != "to format":
            raise NotModelled("a Reformat that is not to a format")
        shape = knobs["format"]._format()
        return found.changed(format=shape, box=(0, 0, shape.width(), shape.height()))
    if kind == "TimeOffset":
        offset = int(knobs["time_offset"].value())
        return found.changed(first=found.first + offset, last=found.last + offset)
    if kind == "FrameRange":
        return found.changed(first=knobs["first_frame"].value(), last=knobs["last_frame"].value())
    if kind == "Retime":
        first, last = knobs["output.first"].value(), knobs["output.last"].value()
        return found.changed(first=first, last=last)
    if kind in ("Merge2", "Copy", "Roto", "AddChannels"):
        other = node.input(1)
        more = of(graph, other, header).channels if other is not None else ()
        added = _RGBA[3:] if kind == "Roto" else tuple(more)
        return found.changed(channels=tuple(dict.fromkeys(tuple(found.channels) + added)))
    return found


def _read(graph, node, header):
    knobs = node._knobs
    first, last = knobs["first"].value(), knobs["last"].value()
    found = default(graph).changed(first=first, last=last, channels=_RGBA)
    if not knobs["file"]._value:
        return found
    read = header(knobs["file"].evaluate(first))
    if read is None:
        return found
    return found.changed(**read)
