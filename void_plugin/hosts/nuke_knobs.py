"""The knobs of a VoidRemove node, as a table: what they are called, what they may be, what each does. No nuke here."""

from typing import NamedTuple, Tuple, Union

from void_plugin.settings import CHOICES, RenderSettings

NODE_VERSION = 2
"""Counts up whenever knobs or the inner graph change; older nodes are brought up to it in place."""

INPUTS = ("plate", "matte", "affected", "holdout")
"""Inputs of the node in their order; the first two must be connected."""

OUTPUTS = ("comp", "patch", "clean plate", "difference", "mask", "source")
"""What the node can show, in the order of the inner Switch."""

DATATYPES = ("16 bit half", "32 bit float")
COMPRESSIONS = ("as the plate", "none", "zips", "zip", "piz")
ENGINES = ("auto", "void", "recover")
"""Before a server has said what it has."""

BUTTON = """try:
    from void_plugin.hosts import nuke_host
except ImportError:
    nuke.message('The void_plugin folder is not on the Python path of this Nuke, so its buttons do nothing. \
Run: void nuke install. What is on disk still renders.')
else:
    nuke_host.press('{action}')
"""
"""Script of a button. Only plain text and single quotes: nothing in it means anything to Tcl."""


class Knob(NamedTuple):
    """One knob: `kind` names its class, `default` its value; for buttons what they do, for links what they lead to."""

    kind: str
    name: str
    label: str = ""
    default: Union[str, int, float, bool] = ""
    tooltip: str = ""
    choices: Tuple[str, ...] = ()
    limits: Tuple[float, float] = (0.0, 0.0)
    """Ends of the slider of a number."""
    same_line: bool = False

    @property
    def has_value(self) -> bool:
        """True for what holds a value of its own."""
        return self.kind in ("string", "text", "file", "int", "float", "enum", "bool", "channel")

    @property
    def is_setting(self) -> bool:
        """True for what a version records and Restore settings brings back."""
        return self.has_value and self.name not in NOT_SETTINGS


NOT_SETTINGS = ("output", "mix", "version", "details", "output_dir", "server", "priority", "farm")
"""Knobs that do not decide what a version looks like."""

_DEFAULT = RenderSettings()


def _button(name: str, label: str, action: str, tooltip: str, same_line: bool = False) -> Knob:
    return Knob("button", name, label, action, tooltip, same_line=same_line)


def _choice(name: str, label: str, setting: str, tooltip: str) -> Knob:
    return Knob("enum", name, label, getattr(_DEFAULT, setting), tooltip, CHOICES[setting])


KNOBS: Tuple[Knob, ...] = (
    Knob("tab", "void_tab", "VOID"),
    _button(
        "render_void",
        "Remove",
        "remove",
        "Checks everything, renders the inputs at full resolution (the only step that holds Nuke up; its own Cancel "
        "stops it) and hands them to the server. The result becomes a new version; earlier ones stay.",
    ),
    _button(
        "submit_farm",
        "Submit to farm",
        "farm",
        "Checks and renders the inputs as Remove does, then puts the job on the render farm. The node is free at once, "
        "and Nuke may be closed. Latest, and opening the script, ask how it stands and show the version once it is "
        "there; Cancel takes the job back.",
        same_line=True,
    ),
    _button(
        "test_frame",
        "Test frame",
        "test",
        "Removes on the current frame only, at preview quality, with up to 22 frames on either side as context. Goes "
        "into the folder test and makes no version.",
        same_line=True,
    ),
    _button(
        "cancel_void",
        "Cancel",
        "cancel",
        "Stops the job and the work on the server; the version shown before stays. Pressed twice it does not wait for "
        "the server's answer. Where a farm makes the version, its job is cancelled there.",
        same_line=True,
    ),
    Knob("note", "status", "status", "No result yet"),
    Knob("divider", "void_show"),
    Knob(
        "enum",
        "output",
        "output",
        "comp",
        "What the node shows. comp: the patch over the live plate, scaled by mix. patch: premultiplied, with its "
        "alpha. clean plate: as comp, always at full strength. difference: what changed. mask: the preview of the "
        "mask where there is one, else the matte. source: the plate. Without a result comp shows the plate.",
        OUTPUTS,
    ),
    Knob("float", "mix", "mix", 1.0, "Strength of the patch in comp, 0 to 1; 0 is the plate.", limits=(0.0, 1.0)),
    Knob(
        "int",
        "version",
        "version",
        0,
        "The version that is shown; 0 before the first. The buttons beside change it.",
    ),
    _button("prev_v", "Prev", "previous", "Shows the next lower version.", same_line=True),
    _button("next_v", "Next", "next", "Shows the next higher version.", same_line=True),
    _button(
        "latest_v",
        "Latest",
        "latest",
        "Shows the highest finished version, and asks the farm about those that it makes.",
        same_line=True,
    ),
    Knob("divider", "void_what"),
    Knob(
        "enum",
        "range_mode",
        "frame range",
        "input",
        "Frames to deliver. input: all that the plate has. global: those of the project. custom: the field beside.",
        ("input", "global", "custom"),
    ),
    Knob("string", "frame_range", "", "", "Frames for custom, both ends included: 1001-1048.", same_line=True),
    Knob(
        "int",
        "handles",
        "handles",
        8,
        "Frames beyond either end of the range that are delivered too, as far as the plate has them.",
        limits=(0, 50),
    ),
    Knob(
        "int",
        "context",
        "context",
        0,
        "More frames beyond the handles that are rendered for the engine to look at and not delivered: real background "
        "is often seen earlier or later.",
        limits=(0, 200),
        same_line=True,
    ),
    Knob(
        "enum",
        "engine",
        "engine",
        "auto",
        "Who fills the hole. recover takes real pixels of other frames and needs no GPU; void also invents; auto lets "
        "the server choose. Filled with what the server has.",
        ENGINES,
    ),
    _choice(
        "source",
        "source",
        "source",
        "Where new pixels come from with an engine that invents. hybrid: from other frames where the background is "
        "seen there, invented elsewhere. generated: all invented. recovered: from other frames only.",
    ),
    Knob(
        "enum",
        "quality",
        "quality",
        "standard",
        "preview: one pass of 12 steps, short clips unpadded. standard: one pass of 30 steps. best: a second pass of "
        "50 steps for steadier motion. Only for engines that invent; single numbers are on the Model tab.",
        ("preview", "standard", "best"),
    ),
    Knob(
        "text",
        "prompt",
        "prompt",
        "",
        "The scene as it is after the removal, in a sentence: what is there, not what goes. May be empty.",
    ),
    Knob("tab", "matte_tab", "Matte"),
    Knob("channel", "matte_channel", "matte channel", "rgba.alpha", "Channel of the input matte: what is removed."),
    Knob(
        "channel",
        "affected_channel",
        "affected channel",
        "rgba.alpha",
        "Channel of the input affected: what the object changes but is not, such as its shadow or reflection.",
    ),
    Knob(
        "channel",
        "holdout_channel",
        "holdout channel",
        "rgba.alpha",
        "Channel of the input holdout: what stands in front and is never touched.",
    ),
    _choice(
        "affected_preset",
        "affected shape",
        "affected_preset",
        "A shape made from the matte that counts as affected where the input affected is not connected: contact, "
        "shadow, reflection, drop (the object is held up) or path (it will move something).",
    ),
    Knob(
        "float",
        "affected_angle",
        "shadow angle",
        0.0,
        "For shadow: degrees that it leans from straight down, to the right above 0; 0 leans to both sides.",
        limits=(-90.0, 90.0),
    ),
    Knob(
        "string",
        "affected_path",
        "path",
        "",
        "For path: where things will move, as x,y x,y in pixels of the plate, counted from the top left.",
    ),
    _choice(
        "recover_affected",
        "recover affected",
        "recover_affected",
        "What the engine recover does with pixels that are only affected: keep the plate, or fill them too.",
    ),
    _button(
        "preview_mask",
        "Preview mask",
        "preview",
        "Paints over the current frame what the engine is told: red is removed, green affected, yellow both, blue held "
        "out, a white line is what the engine sees of the plate. Sets output to mask.",
    ),
    Knob("tab", "model_tab", "Model"),
    Knob("int", "seed", "seed", 0, "Decides what is invented and the grain; the same seed gives the same pixels."),
    Knob("int", "passes", "passes", 0, "1 or 2 passes; 0 takes what quality says.", limits=(0, 2)),
    Knob("int", "steps", "steps", 0, "Denoising steps of the first pass; 0 takes what quality says.", limits=(0, 100)),
    Knob(
        "int",
        "pass2_steps",
        "second pass steps",
        0,
        "Denoising steps of the second pass; 0 takes what quality says.",
        limits=(0, 100),
    ),
    Knob(
        "float",
        "guidance",
        "guidance",
        _DEFAULT.void_guidance,
        "How strongly the prompt leads the second pass, 1 to 30; 1 turns it off.",
        limits=(1.0, 30.0),
    ),
    _choice(
        "detail",
        "detail",
        "detail",
        "tiled refines what was invented tile by tile at twice the size of the model; off is faster.",
    ),
    _choice(
        "rate",
        "rate",
        "rate",
        "physics shows the model about 12 frames a second, as it was trained, and interpolates between; native shows "
        "every frame.",
    ),
    _choice(
        "grain",
        "regrain",
        "grain",
        "Grain on new pixels, after the plate's: synth makes it, scatter takes it from the plate, off adds none.",
    ),
    _choice(
        "recover_grain",
        "recover grain",
        "recover_grain",
        "source takes each real pixel from one frame, grain and all; clean averages frames for the least noise.",
    ),
    Knob(
        "string",
        "colour",
        "plate colour",
        "",
        "Colour space of the pixels as Nuke holds them, by its name in the server's OCIO config, such as ACEScg. Empty "
        "takes what the rendered files say, else the scene_linear role.",
    ),
    Knob("tab", "output_tab", "Output"),
    Knob(
        "file",
        "output_dir",
        "folder",
        "",
        "Where versions go. Empty: void/<script>/<node> beside the script. May hold Tcl; relative to the script.",
    ),
    Knob(
        "link",
        "missing_frames",
        "missing frames",
        "VoidResult.on_error",
        "Where a frame of the result is missing on disk: error stops a render, black shows the plate, checkerboard and "
        "nearest frame are as in a Read.",
    ),
    Knob(
        "enum",
        "datatype",
        "plate as",
        DATATYPES[0],
        "Precision of the plate that is rendered for the server; half ends at 65504. A plate that goes as its own EXR "
        "files keeps theirs.",
        DATATYPES,
    ),
    Knob(
        "enum",
        "compression",
        "compression",
        COMPRESSIONS[0],
        "EXR compression of the result; as the plate means its own where that loses nothing, else zip.",
        COMPRESSIONS,
    ),
    Knob(
        "bool",
        "write_cleanplate",
        "write full frames",
        False,
        "Also writes whole frames into the folder cleanplate of the version, for programs that cannot merge a patch.",
    ),
    Knob(
        "bool",
        "helper_channels",
        "write helper channels",
        False,
        "Adds to the patch where it is new (void.matte), real (void.coverage, void.source) and changed (void.change).",
    ),
    Knob("string", "views", "views", "", "Views to work on, separated by spaces; empty takes all of the project."),
    _button("reveal", "Reveal folder", "reveal", "Opens the folder of the version that is shown."),
    _button(
        "clean_versions",
        "Clean versions",
        "clean",
        "Lists versions that no node of this script shows, with their sizes, and deletes them if you agree.",
        same_line=True,
    ),
    _button(
        "restore_settings",
        "Restore settings",
        "restore",
        "Sets the knobs to what the version that is shown was made with, as one undo step.",
        same_line=True,
    ),
    _button(
        "make_read",
        "Make Read",
        "read",
        "Puts an ordinary Read of the patch beside the node: raw, premultiplied, black outside its range.",
        same_line=True,
    ),
    Knob("tab", "server_tab", "Server"),
    Knob(
        "string",
        "server",
        "server",
        "",
        "host:port of the server. Empty: $VOID_SERVER, else the configuration, else a server of your own that starts "
        "with the job.",
    ),
    Knob(
        "int",
        "priority",
        "priority",
        50,
        "Jobs with a higher number start first, 0 to 100; on the farm too.",
        limits=(0, 100),
    ),
    Knob("string", "farm", "farm", "", "Which farm gets the job, where a site has several. Empty: the site's default."),
    _button(
        "connect",
        "Test connection",
        "connect",
        "Asks the server what it has, fills the list of engines and shows all of it on the Info tab.",
    ),
    Knob("tab", "info_tab", "Info"),
    Knob("text", "details", "details", "", "What happened last, in full; not saved with the script."),
    _button("copy_report", "Copy report", "report", "Copies settings, state and paths to the clipboard for a report."),
)
"""Everything the artist sees, tab by tab."""

HIDDEN: Tuple[Knob, ...] = (
    Knob("string", "void_uuid"),
    Knob("file", "void_job"),
    Knob("file", "void_result"),
    Knob("file", "void_folder"),
    Knob("string", "void_summary"),
    Knob("bool", "void_has_result", "", False),
    Knob("file", "void_preview"),
    Knob("bool", "void_has_preview", "", False),
    Knob("int", "void_node_version", "", NODE_VERSION),
)
"""What is saved with the script and not shown; the last says that a node is ours and complete."""

VOLATILE = ("status", "details")
"""Knobs that are never written to a script."""
DISABLED = ("version", "cancel_void")
"""Knobs that the artist cannot use: the version always, Cancel until something runs."""
