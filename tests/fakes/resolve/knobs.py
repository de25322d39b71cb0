"""What can go wrong with a Resolve, each a knob; the ones that are on by default are how every measured Resolve is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional


@dataclass
class Knobs:
    """The faults of one fake. Names are those of the reference's table where it has one."""

    # -- placing
    end_inclusive: bool = False
    """endFrame counts as it did up to Resolve 18; from 19 on it is the first frame that is not used."""
    append_drops_on_overlap: bool = True
    """What would cover an item on its track silently vanishes; off, the append lands behind that item."""
    append_returns_ghost: bool = False
    """A refused item comes back as a handle whose every getter is None, not as an empty list."""
    append_refuses: bool = False
    """Every append vanishes, whatever is there."""
    append_shift: int = 0
    """Frames by which what is placed lands beside its recordFrame."""
    append_moves_playhead: bool = False
    """An append leaves the playhead behind what it placed."""
    frames_from_file: bool = False
    """Frames of media that a script gives count from the number of the first file, not from 0 (not documented)."""
    take_selects: bool = False
    """AddTake selects what it adds."""
    # -- render queue
    exr_never_complete: bool = False
    """A finished EXR job stays at Rendering with 100 %."""
    delete_job_ignored: bool = False
    """The first DeleteRenderJob of an EXR job returns True and does nothing."""
    settings_inherit_audio_only: bool = False
    """The queue was last used with "Audio Only": jobs hold no picture until a preset is loaded."""
    frames_per_poll: int = 4
    """Frames that are rendered each time the queue is asked; 0 means that a render hangs."""
    render_fails_at: Optional[int] = None
    """The record frame at which the job fails."""
    render_cancelled_at: Optional[int] = None
    """The record frame at which the user stops the render."""
    render_deleted_at: Optional[int] = None
    """The record frame at which the user stops the render and deletes the job."""
    render_opens_deliver: bool = False
    """StartRendering opens the Deliver page."""
    render_skips: List[int] = field(default_factory=list)
    """Record frames whose file is never written."""
    render_truncates: List[int] = field(default_factory=list)
    """Record frames whose file is cut off."""
    render_black: bool = False
    """All that is rendered is black."""
    render_size: Optional[List[int]] = None
    """Width and height of what is rendered, whatever was asked for."""
    record_digits: int = 8
    """Digits of the numbers of rendered files."""
    preset_forgets_codec: bool = False
    """LoadRenderPreset leaves format and codec as they are."""
    # -- Fusion
    comp_moves_time: bool = False
    """A composition stands at its last frame when it was rendered."""
    comp_skips: List[int] = field(default_factory=list)
    """Frames of compositions whose file is never written."""
    comp_size: Optional[List[int]] = None
    """Width and height of what a composition writes, whatever its media are."""
    # -- reading
    source_start_slip: bool = False
    """GetSourceStartFrame is one too low."""
    source_end_inclusive: bool = False
    """GetSourceEndFrame is the last frame that is used."""
    source_unknown: bool = False
    """GetSourceStartFrame and GetSourceEndFrame are both 0."""
    marks_absolute: bool = False
    """Marks are record frames, not counted from the timeline's start."""
    otio_absolute_markers: bool = False
    """An exported timeline's markers are at record frames, not counted from its start."""
    rate_as_number: bool = False
    """GetSetting gives rates as numbers."""
    # -- writing
    set_property_true_not_stored: List[str] = field(default_factory=list)
    """Keys whose setters answer True and store nothing, such as `Reel Name`, `Clip Color`, `FPS`."""
    delete_needs_edit_page: bool = True
    """Timeline.DeleteClips refuses on every other page."""
    delete_flaky_once: bool = False
    """The first Timeline.DeleteClips answers True and deletes nothing."""
    enable_needs_edit_page: bool = False
    """SetTrackEnable refuses on every other page."""
    import_individual_frames: bool = False
    """The media pool shows individual frames: a sequence comes in as stills."""
    import_fps: Optional[float] = None
    """The rate that imported sequences get, where it is not the project's."""
    import_data_level: str = "Auto"
    """The data level that imported media gets."""
    # -- edition and transport
    modal_blocks: bool = False
    """A window is up: nothing that changes anything works."""
    external: bool = True
    """External scripting is allowed; off, scriptapp returns None."""
    external_address: str = ""
    """The address that scriptapp must be given (macOS)."""
    menu_names: List[str] = field(default_factory=lambda: ["resolve", "fusion", "fu", "bmd", "app"])
    """The globals that a menu script finds; in some hosts `resolve` is not among them."""
    # -- crashes
    raises_at: Optional[int] = None
    """The index of the recorded call that raises."""
    raises_midway: Dict[str, int] = field(default_factory=dict)
    """`Project.AddRenderJob`: 2 raises at its second call."""
    raises_after: bool = False
    """A call that raises does so after its work, not before."""
    refuses: Dict[str, int] = field(default_factory=dict)
    """`Project.SetRenderSettings`: 1 does nothing at its first call and says so: False, None, [] or {}; 0 at all."""
    lies: Dict[str, int] = field(default_factory=dict)
    """As `refuses`, but a bool says True."""

    def to_dict(self) -> Dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Dict[str, Any]) -> Knobs:
        """TypeError names a knob that there is not."""
        return cls(**values)
