"""What every Resolve offers: pages, colours, codecs, presets, settings and clip properties, each with its source."""

from __future__ import annotations

PAGES = ("media", "cut", "edit", "fusion", "color", "fairlight", "deliver")
TIMECODE_PAGES = ("cut", "edit", "color", "fairlight", "deliver")
"""README: Get/SetCurrentTimecode work on these."""

CLIP_COLORS = (
    *("Orange", "Apricot", "Yellow", "Lime", "Olive", "Green", "Teal", "Navy"),
    *("Blue", "Purple", "Violet", "Pink", "Tan", "Beige", "Brown", "Chocolate"),
)
"""resolve-mcp's ledger, Studio 19.1.3: all others are refused, markers' colours too."""
MARKER_COLORS = (
    *("Blue", "Cyan", "Green", "Yellow", "Red", "Pink", "Purple", "Fuchsia"),
    *("Rose", "Lavender", "Sky", "Mint", "Lemon", "Sand", "Cocoa", "Cream"),
)

FORMATS = {"EXR": "exr", "DPX": "dpx", "TIFF": "tif", "QuickTime": "mov", "MP4": "mp4"}
"""README: label to id; setters want ids."""
_EXR = ("", "ZIP1", "ZIP", "PIZ", "RLE", "DWAA", "DWAB")
_EXR_LABELS = ("", " (ZIP, one line)", " (ZIP)", " (PIZ)", " (RLE)", " (DWAA)", " (DWAB)")
CODECS = {
    "exr": {
        "RGB " + depth.lower() + label: "RGB" + depth + end
        for depth in ("Half", "Float")
        for end, label in zip(_EXR, _EXR_LABELS)  # noqa: B905 -- 3.7
    },
    "dpx": {"RGB 10-bit": "RGB10", "RGB 16-bit": "RGB16"},
    "tif": {"RGB 8-bit": "RGB8LZW", "RGB 16-bit": "RGB16LZW"},
    "mov": {"H.264": "H264", "Apple ProRes 4444": "ProRes4444", "DNxHR HQX": "DNxHRHQX"},
    "mp4": {"H.264": "H264", "H.265": "H265"},
}
"""Ids of EXR as observed on 21.0.4; labels drift between versions."""


def hidden(**changes):
    """The part of the render settings that no key reaches and only a preset carries (AYON's exported preset)."""
    found = {"audio_only": False, "flat_pass": False, "data_levels": "Auto", "disable_sizing": False}
    found.update(changes)
    return found


def preset(file_format, codec, builtin=False, **changes):
    """A render preset: format, codec, the settings that keys reach, and the hidden rest."""
    settings = {"ExportVideo": not changes.get("audio_only"), "ExportAudio": file_format != "exr"}
    return {
        "format": file_format,
        "codec": codec,
        "settings": settings,
        "hidden": hidden(**changes),
        "builtin": builtin,
    }


def presets():
    """Those that come with Resolve."""
    return {
        "H.264 Master": preset("mov", "H264", True),
        "ProRes 422 HQ": preset("mov", "ProRes4444", True),
        "Audio Only": preset("mov", "H264", True, audio_only=True),
    }


PROJECT_SETTINGS = {
    "colorScienceMode": "davinciYRGB",
    "rcmPresetMode": "Custom",
    "isAutoColorManage": "0",
    "separateColorSpaceAndGamma": "0",
    "colorSpaceInput": "Rec.709 Gamma 2.4",
    "colorSpaceInputGamma": "Rec.709 Gamma 2.4",
    "colorSpaceTimeline": "Rec.709 Gamma 2.4",
    "colorSpaceTimelineGamma": "Rec.709 Gamma 2.4",
    "colorSpaceOutput": "Rec.709 Gamma 2.4",
    "colorSpaceOutputGamma": "Rec.709 Gamma 2.4",
    "colorAcesIDT": "No Input Transform",
    "colorAcesODT": "No Output Transform",
    "colorAcesGamutCompressType": "None",
    "colorAcesNodeLUTProcessingSpace": "acesccAp1",
    "inputDRT": "None",
    "outputDRT": "None",
    "videoDataLevels": "Video",
    "timelineResolutionWidth": "64",
    "timelineResolutionHeight": "36",
    "timelineOutputResolutionWidth": "64",
    "timelineOutputResolutionHeight": "36",
    "timelinePixelAspectRatio": "Square",
    "timelineFrameRate": "24",
    "timelinePlaybackFrameRate": "24",
    "timelineDropFrameTimecode": "0",
    "videoCaptureLocation": "",
    "videoMonitorFormat": "HD 1080p 24",
}
"""Keys seen on 21.0.4; values are strings."""
TIMELINE_ONLY = {"useCustomSettings": "0"}

CLIP_PROPERTIES = {
    "Alpha mode": "None",
    "Angle": "",
    "Comments": "",
    "Data Level": "Auto",
    "Description": "",
    "Enable Deinterlacing": "0",
    "Good Take": "",
    "H-FLIP": "Off",
    "IDT": "",
    "In": "",
    "Input Color Space": "Project",
    "Input LUT": "",
    "Keyword": "",
    "Noise Reduction": "",
    "Out": "",
    "PAR": "Square",
    "Reel Name": "",
    "Roll/Card": "",
    "Scene": "",
    "Sharpness": "",
    "Shot": "",
    "Super Scale": 1,
    "Take": "",
    "V-FLIP": "Off",
}
"""Properties that can be set, with what they are at import; the rest is read off the media (`models.clip`)."""

ITEM_PROPERTIES = {
    "Pan": 0.0,
    "Tilt": 0.0,
    "ZoomX": 1.0,
    "ZoomY": 1.0,
    "ZoomGang": True,
    "RotationAngle": 0.0,
    "AnchorPointX": 0.0,
    "AnchorPointY": 0.0,
    "Pitch": 0.0,
    "Yaw": 0.0,
    "FlipX": False,
    "FlipY": False,
    "CropLeft": 0.0,
    "CropRight": 0.0,
    "CropTop": 0.0,
    "CropBottom": 0.0,
    "CropSoftness": 0.0,
    "CropRetain": False,
    "DynamicZoomEase": 0,
    "CompositeMode": 0,
    "Opacity": 100.0,
    "Distortion": 0.0,
    "RetimeProcess": 0,
    "MotionEstimation": 0,
    "Scaling": 0,
    "ResizeFilter": 0,
}
"""README, "Looking up Timeline item properties"; there is none for speed."""
