"""Where the stubs of 21.0.0 are stricter or older than Resolve, and what must never be called: each with its source.

`README` is Blackmagic's scripting README of the date given; a measurement names who made it, on which build.
"""

from __future__ import annotations

_README = "README of 24 July 2026 (21.0.4)"
_SUBFRAME = "README of 24 July 2026: subframe_precision is optional; the stubs require it"
_MARKER = "README of 24 July 2026: customData is optional; the stubs require it"

REQUIRED = {
    "Timeline.AddTrack": (1, "README of 24 July 2026: the second argument is optional"),
    "Timeline.DeleteClips": (1, "README of 24 July 2026: the second argument is optional, False by default"),
    "Timeline.AddMarker": (5, _MARKER),
    "TimelineItem.AddMarker": (5, _MARKER),
    "MediaPoolItem.AddMarker": (5, _MARKER),
    "TimelineItem.GetStart": (0, _SUBFRAME),
    "TimelineItem.GetEnd": (0, _SUBFRAME),
    "TimelineItem.GetDuration": (0, _SUBFRAME),
    "TimelineItem.GetLeftOffset": (0, _SUBFRAME),
    "TimelineItem.GetRightOffset": (0, _SUBFRAME),
    "TimelineItem.GetProperty": (0, "README of 24 July 2026: without a key, the dictionary of all"),
    "TimelineItem.AddTake": (1, "README of 24 July 2026: without a range, the whole clip"),
    "MediaPoolItem.GetClipProperty": (0, "README of 24 July 2026: without a key, the dictionary of all"),
    "MediaPoolItem.GetMetadata": (0, "README of 24 July 2026: without a key, the dictionary of all"),
    "MediaStorage.AddClipMattesToMediaPool": (2, "README of 24 July 2026: stereoEye is optional"),
    "MediaPool.ImportTimelineFromFile": (1, "README of 24 July 2026: importOptions is optional"),
    "Project.GetSetting": (0, "README of 24 July 2026: without a name, the dictionary of all"),
    "Timeline.GetSetting": (0, "README of 24 July 2026: without a name, the dictionary of all"),
}
"""How many arguments a call needs: every one after them may be left out."""

NEWER = {
    "Timeline.GetSelectedClips": ("(self) -> List[TimelineItem]", (21, 0, 4), _README),
    "ProjectManager.GetProjectAttributesInCurrentFolder": ("(self) -> dict", (21, 0, 4), _README),
    "MediaPoolItem.GetTimeline": ("(self) -> Timeline", (21, 0, 4), _README),
}
"""Calls that the stubs lack: signature, the version that has them, source."""

SINCE = {
    "Timeline.GetMarkInOut": ((20, 0, 0), "resolve-mcp's API ledger, Studio 19.1.3 lacks it"),
    "Timeline.SetMarkInOut": ((20, 0, 0), "resolve-mcp's API ledger, Studio 19.1.3 lacks it"),
    "Timeline.ClearMarkInOut": ((20, 0, 0), "resolve-mcp's API ledger, Studio 19.1.3 lacks it"),
    "Resolve.EXPORT_OTIO": ((18, 5, 0), "release notes of 18.5: OpenTimelineIO export"),
}
"""Names that older versions do not have; `dir` does not list them there."""

_GUIDE = "Fusion 8 Scripting Guide (Blackmagic Design)"
_AYON = "ayon-fusion, which publishes with it"
FUSION = {
    "FusionComp.GetAttrs": ("(self) -> dict", _GUIDE),
    "FusionComp.GetToolList": ("(self, selected: bool, kind: str = '') -> dict", _AYON),
    "FusionComp.Render": ("(self, settings: FusionRender) -> bool", _AYON),
    "FusionComp.CurrentTime": ("(self, value: float) -> None", _GUIDE + "; an attribute, assigned to"),
    "FusionTool.GetAttrs": ("(self) -> dict", _AYON),
    "FusionTool.SetAttrs": ("(self, values: dict) -> None", _AYON),
    "FusionTool.GetInput": ("(self, key: str, time: float = 0) -> Any", _GUIDE),
    "FusionTool.SetInput": ("(self, key: str, value: Any, time: float = 0) -> None", _GUIDE),
}
"""What is called of Fusion, whose classes the stubs leave empty."""
FUSION_KEYS = {"FusionRender": {"Start": "int", "End": "int", "Wait": "bool", "RenderFlags": "int"}}
ASSIGNED = ("FusionComp.CurrentTime",)
"""Attributes that a script may assign to."""

RETURNS = {
    "Project.GetSetting": (["dict", "str"], "README of 24 July 2026: with an empty name, the dictionary of all"),
    "Timeline.GetSetting": (["dict", "str"], "README of 24 July 2026: with an empty name, the dictionary of all"),
    "ProjectManager.GetCurrentDatabase": (["dict", "none"], "resolve-mcp's ledger: None after an unclean exit"),
    "Project.StopRendering": (["none"], "README of 24 July 2026"),
}
"""What calls return, where the stubs say less."""

MORE_KEYS = {
    "RenderSettings.AddFrameHandles": ("AddFrameHandles", "int", _README),
    "RenderSettings.UseFullExtents": ("UseFullExtents", "bool", _README),
    "RenderSettings.DataBurnIn": ("DataBurnIn", "str", _README),
}
"""Keys of settings dictionaries that the stubs lack."""

REQUIRED_KEYS = {
    "RenderSettings": ((), "README of 24 July 2026: any subset may be set; the stubs want all"),
    "MediaPoolClipInfo": (("mediaPoolItem",), "README of 24 July 2026: all but the clip may be left out"),
    "NewTrackOptions": ((), "README of 24 July 2026: both are optional"),
    "TimelineImportOptions": ((), "README of 24 July 2026: all are optional"),
    "TimelineClipInfo": ((), "README of 24 July 2026: both are optional"),
}
"""The keys that a settings dictionary must hold."""

FORBIDDEN = {
    "Project.DeleteAllRenderJobs": "it empties the user's render queue",
    "ProjectManager.CloseProject": "it drops what the user has not saved",
    "ProjectManager.DeleteProject": "it removes the user's work",
    "ProjectManager.LoadProject": "it leaves the project that the user works in",
    "ProjectManager.SetCurrentDatabase": "it closes the project that is open",
    "Resolve.Quit": "it ends the user's session",
    "Timeline.DeleteMarkersByColor": "it removes markers of the user's",
    "TimelineItem.DeleteMarkersByColor": "it removes markers of the user's",
    "MediaPoolItem.DeleteMarkersByColor": "it removes markers of the user's",
}
"""Calls that nothing of ours may make, whatever happens, and why."""
