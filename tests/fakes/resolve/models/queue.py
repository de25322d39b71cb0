"""The render queue. Nothing runs by itself: each time it is asked, the running job renders a few more frames."""

from __future__ import annotations

import copy
import os

from .. import pictures
from .base import Model
from .looks import layers
from .timeline import Timeline


class Queue(Model):
    @property
    def jobs(self):
        return self.data["render"]["jobs"]

    def _job(self, key):
        return next((job for job in self.jobs if job["id"] == key), None)

    def AddRenderJob(self):
        """Of the current timeline and settings; an empty text without a target folder or anything to render."""
        render, timeline = self.data["render"], self.world.timeline
        settings = copy.deepcopy(render["settings"])
        if timeline is None or not settings.get("TargetDir"):
            return ""
        first, final = timeline["start"], Timeline(self.bench, timeline).GetEndFrame() - 1
        if not settings.get("SelectAllFrames") and "MarkIn" in settings and "MarkOut" in settings:
            first, final = settings["MarkIn"], settings["MarkOut"]
        if final < first:
            return ""
        job = {
            "id": self.world.new_id("job"),
            "timeline": timeline["id"],
            "format": render["format"],
            "codec": render["codec"],
            "mode": render["mode"],
            "settings": settings,
            "hidden": copy.deepcopy(render["hidden"]),
            "first": first,
            "last": final,
            "done": 0,
            "status": "Ready",
            "error": "",
            "theirs": False,
        }
        self.jobs.append(job)
        return job["id"]

    def GetRenderJobList(self):
        return [
            {
                "JobId": job["id"],
                "RenderJobName": "Job " + str(index + 1),
                "TimelineName": self.world.timeline_by(job["timeline"])["name"],
                "TargetDir": job["settings"].get("TargetDir", ""),
                "OutputFilename": job["settings"].get("CustomName", ""),
                "MarkIn": job["first"],
                "MarkOut": job["last"],
                "VideoFormat": job["format"],
                "VideoCodec": job["codec"],
                # What was asked for, whatever is rendered (resolve-mcp's ledger).
                "IsExportVideo": job["settings"].get("ExportVideo", True),
                "RenderMode": "Single clip" if job["mode"] else "Individual clips",
                "PresetName": "Custom",
            }
            for index, job in enumerate(self.jobs)
        ]

    def StartRendering(self, *arguments):
        """Only of jobs that are named; without names it would start the user's too."""
        keys = [key for value in arguments for key in (value if isinstance(value, (list, tuple)) else [value])]
        keys = [key for key in keys if isinstance(key, str)]
        if not keys:
            raise self.bench.breach(ValueError("StartRendering without job ids starts the user's queue"))
        found = [self._job(key) for key in keys]
        if None in found or self.data["render"]["running"] is not None:
            return False
        if any(job["theirs"] for job in found):
            raise self.bench.breach(ValueError("StartRendering of a job of the user's"))
        if len(found) != 1:
            raise self.bench.breach(NotImplementedError("this fake renders one job at a time"))
        found[0].update(status="Rendering", done=0, error="")
        self.data["render"]["running"] = found[0]["id"]
        if self.knobs.render_opens_deliver:
            self.world.data["page"] = "deliver"
        return True

    def StopRendering(self):
        job = self._job(self.data["render"]["running"])
        if job is None:
            return None
        if job["theirs"]:
            raise self.bench.breach(ValueError("StopRendering while a render of the user's runs"))
        job["status"] = "Cancelled"
        self.data["render"]["running"] = None
        return None

    def IsRenderingInProgress(self):
        self._advance()
        return self.data["render"]["running"] is not None

    def GetRenderJobStatus(self, key):
        self._advance()
        job = self._job(key)
        if job is None:
            return {}
        count = job["last"] - job["first"] + 1
        found = {"JobStatus": job["status"], "CompletionPercentage": 100 * job["done"] // count}
        if job["status"] == "Rendering":
            found["EstimatedTimeRemainingInMs"] = 40 * (count - job["done"])
        elif job["status"] == "Complete":
            found["TimeTakenToRenderInMs"] = 40 * count
        elif job["status"] == "Failed":
            found["Error"] = job["error"]
        return found

    def DeleteRenderJob(self, key):
        """Refuses the one that runs; a job of the user's is a breach."""
        job = self._job(key)
        if job is None or self.data["render"]["running"] == key:
            return False
        if job["theirs"]:
            raise self.bench.breach(ValueError("DeleteRenderJob of a job of the user's"))
        if self.knobs.delete_job_ignored and job["format"] == "exr" and not job.get("kept"):
            job["kept"] = True
            return True
        self.jobs.remove(job)
        return True

    # -- rendering
    def _advance(self):
        job = self._job(self.data["render"]["running"])
        if job is None or job["theirs"]:
            return
        frames = []
        for _ in range(self.knobs.frames_per_poll):
            frame = job["first"] + job["done"]
            if frame > job["last"]:
                break
            if frame == self.knobs.render_fails_at:
                self._end_job(job, "Failed", "The render failed at frame " + str(frame))
                break
            if frame in (self.knobs.render_cancelled_at, self.knobs.render_deleted_at):
                self._end_job(job, "Cancelled")
                if frame == self.knobs.render_deleted_at:
                    self.jobs.remove(job)
                break
            frames.append(self._plan(job, frame))
            job["done"] += 1
        if job["settings"].get("ExportVideo", True) and not job["hidden"]["audio_only"]:
            error = self._write(job, [plan for plan in frames if plan["frame"] not in self.knobs.render_skips])
            if error:
                self._end_job(job, "Failed", error)
        if job["status"] == "Rendering" and job["first"] + job["done"] > job["last"]:
            never = self.knobs.exr_never_complete and job["format"] == "exr"
            self._end_job(job, "Rendering" if never else "Complete")

    def _end_job(self, job, status, error=""):
        job.update(status=status, error=error)
        self.data["render"]["running"] = None

    def _write(self, job, plans):
        if job["format"] != "exr":
            return "this fake renders EXR only"
        if not os.path.isdir(job["settings"]["TargetDir"]):
            return "The folder " + job["settings"]["TargetDir"] + " does not exist"
        if not job["settings"].get("ReplaceExistingFilesInPlace"):
            there = [plan["path"] for plan in plans if os.path.exists(plan["path"])]
            if there:
                return there[0] + " exists"
        pictures.write(plans)
        return ""

    def _plan(self, job, frame):
        """What is seen at a record frame, of the tracks that are enabled now."""
        settings = self.world.project["settings"]
        wanted = job["settings"]
        size = self.knobs.render_size or (
            wanted.get("FormatWidth", int(settings["timelineResolutionWidth"])),
            wanted.get("FormatHeight", int(settings["timelineResolutionHeight"])),
        )
        number = frame if "ClipStartFrame" not in wanted else wanted["ClipStartFrame"] + frame - job["first"]
        name = "{}{:0{}d}.exr".format(wanted.get("CustomName", "untitled"), number, self.knobs.record_digits)
        if job["mode"] == 0:
            name = "V1-0001_" + name
        return {
            "frame": frame,
            "path": os.path.join(wanted["TargetDir"], name),
            "size": list(size),
            "codec": job["codec"],
            "layers": [] if self.knobs.render_black else layers(self.world, job, frame),
            "truncate": frame in self.knobs.render_truncates,
        }
