"""What a project of Resolve renders: formats, presets, settings and the queue.

The queue is the user's. Jobs are deleted one by one, by the ids of ours; nothing here can empty it.
"""

from typing import Any, Dict, List, NamedTuple

from void_plugin.hosts.resolve_calls import Named, refused, whole

DELIVER_FIX = "look at the Deliver page, where Resolve may say why"
KEYS = (
    "SelectAllFrames",
    "MarkIn",
    "MarkOut",
    "TargetDir",
    "CustomName",
    "UniqueFilenameStyle",
    "ExportVideo",
    "ExportAudio",
    "FormatWidth",
    "FormatHeight",
    "FrameRate",
    "PixelAspectRatio",
    "ExportAlpha",
    "ReplaceExistingFilesInPlace",
    "ExportSubtitle",
    "DataBurnIn",
)
"""What of render settings is ever given; an unknown key makes Resolve refuse all of them."""


class JobStatus(NamedTuple):
    """What Resolve says of a render job."""

    status: str
    percent: int
    eta_ms: int
    error: str


class Renders(Named):
    """The half of a project that renders."""

    # -- format, mode and presets ----------------------------------------------------------------------------

    def render_formats(self) -> Dict[str, str]:
        """Ids of the formats by the labels that Resolve shows."""
        return {str(label): str(unique) for label, unique in self._map("GetRenderFormats").items()}

    def render_codecs(self, form: str) -> Dict[str, str]:
        """Ids of the codecs of a format by the labels that Resolve shows."""
        return {str(label): str(unique) for label, unique in self._map("GetRenderCodecs", form).items()}

    def render_format(self) -> Dict[str, str]:
        """Ids under `format` and `codec`; empty where none is set."""
        return {str(key): str(value) for key, value in self._map("GetCurrentRenderFormatAndCodec").items() if value}

    def set_render_format(self, form: str, codec: str) -> None:
        """Set format and codec by their ids. Raises HostError where they read back otherwise."""
        self._call("SetCurrentRenderFormatAndCodec", form, codec)
        found = self.render_format()
        if (found.get("format"), found.get("codec")) != (form, codec):
            why = "left {} set".format(found or "nothing")
            raise refused("Project.SetCurrentRenderFormatAndCodec", [form, codec], why, DELIVER_FIX)

    def render_mode(self) -> int:
        """0 for individual clips, 1 for a single clip."""
        return self._frame("GetCurrentRenderMode")

    def set_render_mode(self, mode: int) -> None:
        """Set individual clips (0) or a single clip (1). Raises HostError where it reads back otherwise."""
        if self.render_mode() == mode:
            return
        self._call("SetCurrentRenderMode", mode)
        if self.render_mode() != mode:
            raise refused("Project.SetCurrentRenderMode", [mode], "changed nothing", DELIVER_FIX)

    def render_presets(self) -> List[str]:
        """Names of the render presets."""
        found = self._list("GetRenderPresetList")
        return [str(item.get("RenderPresetName") if isinstance(item, dict) else item) for item in found]

    def save_render_preset(self, name: str) -> None:
        """Keep the present render settings as a new preset. Raises HostError where it is not listed then."""
        self._call("SaveAsNewRenderPreset", name)
        if name not in self.render_presets():
            raise refused("Project.SaveAsNewRenderPreset", [name], "saved no preset", DELIVER_FIX)

    def load_render_preset(self, name: str) -> None:
        """Make a preset the present render settings. Raises HostError."""
        self._must("LoadRenderPreset", name, fix="see on the Deliver page that the preset is there")

    def delete_render_preset(self, name: str) -> None:
        """Delete a preset. Raises HostError where it is still listed then."""
        self._call("DeleteRenderPreset", name)
        if name in self.render_presets():
            raise refused("Project.DeleteRenderPreset", [name], "left it there", "delete it on the Deliver page")

    def set_render_settings(self, settings: Dict[str, Any]) -> None:
        """Lay settings over what is loaded; what no key names stays. Raises HostError."""
        unknown = sorted(set(settings) - set(KEYS))
        if unknown:
            raise refused("Project.SetRenderSettings", [settings], "knows no {}".format(", ".join(unknown)))
        self._must("SetRenderSettings", settings, fix=DELIVER_FIX)

    # -- the queue -------------------------------------------------------------------------------------------

    def is_rendering(self) -> bool:
        """True while anything of the queue is rendered, whoever started it."""
        return self._yes("IsRenderingInProgress")

    def render_jobs(self) -> Dict[str, str]:
        """The folder that each job of the queue writes to, by the id of the job; empty where Resolve does not say."""
        jobs = [item for item in self._list("GetRenderJobList") if isinstance(item, dict)]
        return {str(item.get("JobId")): str(item.get("TargetDir") or "") for item in jobs}

    def add_render_job(self) -> str:
        """Queue the present settings and return the id of the job. Raises HostError."""
        job = str(self._must("AddRenderJob", fix=DELIVER_FIX))
        if job not in self.render_jobs():
            raise refused("Project.AddRenderJob", [], "gave {!r}, which is not queued".format(job), DELIVER_FIX)
        return job

    def start_render(self, job: str) -> None:
        """Start one job and no other. Raises HostError."""
        self._must("StartRendering", [job], False, fix=DELIVER_FIX)

    def stop_render(self) -> None:
        """Stop what is being rendered: only to be called where that is ours."""
        self._call("StopRendering")

    def render_status(self, job: str) -> JobStatus:
        """What Resolve says of a job."""
        found = self._map("GetRenderJobStatus", job)
        numbers = [whole(found.get(key)) or 0 for key in ("CompletionPercentage", "EstimatedTimeRemainingInMs")]
        return JobStatus(str(found.get("JobStatus") or ""), numbers[0], numbers[1], str(found.get("Error") or ""))

    def delete_render_job(self, job: str) -> bool:
        """Delete one job; True where it is no longer queued. Resolve ignores the wish now and then."""
        if job in self.render_jobs():
            self._call("DeleteRenderJob", job)
        return job not in self.render_jobs()
