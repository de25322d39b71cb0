"""A Cuebot with one host: takes jobs as the real one does and has a real RQD run their frames, in OpenCue's Python.

`python cuebot.py --rqd PORT --logs FOLDER` prints its own port. It refuses what Cuebot refuses (root, a second job of a
name, names out of order), reads memory as Cuebot does (`40000m`; a bare number is GiB), and lets a frame fail for good
after its retries. Every frame that RQD reports is a line in `reports.jsonl` of the logs' folder.
"""

import argparse
import json
import re
import threading
import time
import uuid
import xml.etree.ElementTree as Xml
from concurrent import futures
from pathlib import Path

import grpc
from opencue_proto import (
    cue_pb2,
    cue_pb2_grpc,
    job_pb2,
    job_pb2_grpc,
    report_pb2,
    report_pb2_grpc,
    rqd_pb2,
    rqd_pb2_grpc,
)

NAME = re.compile(r"[\w.]{3,}\Z")
WAITING, RUNNING, SUCCEEDED, DEAD = job_pb2.WAITING, job_pb2.RUNNING, job_pb2.SUCCEEDED, job_pb2.DEAD
KIB_OF_GIB = 1024 * 1024


class Refused(Exception):
    """What Cuebot answers with an INTERNAL error."""


class Frame:
    def __init__(self, layer, number):
        self.id, self.layer, self.number = str(uuid.uuid4()), layer, number
        self.state, self.exit, self.tries = WAITING, -1, 0

    @property
    def name(self):
        return f"{self.number:04d}-{self.layer.name}"


class Layer:
    def __init__(self, spec):
        self.id, self.name = str(uuid.uuid4()), conform(spec.get("name"))
        self.command, self.after = spec.findtext("cmd"), []
        self.cores = float(spec.findtext("cores"))
        self.gpus = int(spec.findtext("gpus") or 0)
        self.memory = kib(spec.findtext("memory"))
        self.gpu_memory = kib(spec.findtext("gpu_memory") or "0m")
        self.tags = [tag for tag in (spec.findtext("tags") or "general").replace(" ", "").split("|")]
        self.timeout = int(spec.findtext("timeout") or 0)
        first, last = map(int, spec.findtext("range").split("-"))
        self.frames = [Frame(self, number) for number in range(first, last + 1)]


class Job:
    def __init__(self, spec):
        if spec.findtext("user") == "root" or spec.findtext("uid") == "0":
            raise Refused("Cannot launch jobs as root.")
        job = spec.find("job")
        self.id, self.user, self.uid = str(uuid.uuid4()), spec.findtext("user"), int(spec.findtext("uid"))
        self.show, self.shot = conform(spec.findtext("show")), conform(spec.findtext("shot"))
        self.name = f"{self.show}-{self.shot}-{self.user}_{conform(job.get('name'))}"
        self.priority = int(job.findtext("priority"))
        self.retries = max(0, min(1, int(job.findtext("maxretries"))))
        self.killed = False
        self.layers = {layer.name: layer for layer in map(Layer, job.find("layers"))}
        for depend in spec.find("depends"):
            if depend.get("type") != "LAYER_ON_LAYER":
                raise Refused(f"unexpected {depend.get('type')}")
            self.layers[conform(depend.findtext("deplayer"))].after.append(conform(depend.findtext("onlayer")))

    @property
    def frames(self):
        return [frame for layer in self.layers.values() for frame in layer.frames]

    @property
    def is_over(self):
        if self.killed:
            return not any(frame.state == RUNNING for frame in self.frames)
        return all(frame.state == SUCCEEDED for frame in self.frames)

    def is_open(self, layer):
        """Whether all that a layer waits for has succeeded."""
        return all(frame.state == SUCCEEDED for name in layer.after for frame in self.layers[name].frames)


class Cuebot:
    """The jobs, and the thread that hands frames to the host."""

    def __init__(self, rqd, logs):
        self.jobs, self.logs = {}, logs
        self.lock, self.turn = threading.RLock(), threading.Event()
        self.host = rqd_pb2_grpc.RqdInterfaceStub(grpc.insecure_channel(f"127.0.0.1:{rqd}"))
        threading.Thread(target=self.dispatch, daemon=True).start()

    def launch(self, text):
        job = Job(Xml.fromstring(text[text.index("<spec>") :]))
        with self.lock:
            if any(other.name == job.name and not other.is_over for other in self.jobs.values()):
                raise Refused(f"The job {job.name} is already pending")
            self.jobs[job.id] = job
        self.turn.set()
        return job

    def dispatch(self):
        while True:
            self.turn.wait(0.5)
            self.turn.clear()
            with self.lock:
                for job in sorted(self.jobs.values(), key=lambda job: -job.priority):
                    for layer in job.layers.values():
                        if not job.killed and job.is_open(layer):
                            self.start(job, layer)

    def start(self, job, layer):
        for frame in layer.frames:
            if frame.state != WAITING:
                continue
            order = rqd_pb2.RunFrame(
                resource_id="host", job_id=job.id, job_name=job.name, frame_id=frame.id, frame_name=frame.name,
                layer_id=layer.id, command=layer.command.replace("#IFRAME#", str(frame.number)), user_name=job.user,
                log_dir=str(self.logs), show=job.show, shot=job.shot, uid=job.uid, gid=job.uid,
                num_cores=round(100 * layer.cores), num_gpus=layer.gpus, start_time=int(time.time()),
                environment={"CUE_IFRAME": str(frame.number)},
            )  # fmt: skip
            try:
                self.host.LaunchFrame(rqd_pb2.RqdStaticLaunchFrameRequest(run_frame=order))
            except grpc.RpcError:  # no idle cores, or no host yet: at its next turn
                return
            frame.state, frame.tries = RUNNING, frame.tries + 1

    def completed(self, report):
        with self.lock:
            job = self.jobs[report.frame.job_id]
            frame = next(frame for frame in job.frames if frame.id == report.frame.frame_id)
            line = {"frame": frame.name, "exit": report.exit_status, "signal": report.exit_signal}
            with open(self.logs / "reports.jsonl", "a") as stream:
                stream.write(json.dumps(line) + "\n")
            frame.exit = report.exit_status
            if not report.exit_status and not report.exit_signal:
                frame.state = SUCCEEDED
            else:
                frame.state = DEAD if job.killed or frame.tries > job.retries else WAITING
        self.turn.set()

    def kill(self, job):
        with self.lock:
            job.killed = True
            running = [frame for frame in job.frames if frame.state == RUNNING]
        for frame in running:
            request = rqd_pb2.RqdStaticKillRunningFrameRequest(frame_id=frame.id, message="killed")
            self.host.KillRunningFrame(request)


class JobService(job_pb2_grpc.JobInterfaceServicer):
    def __init__(self, cuebot):
        self.cuebot = cuebot

    def LaunchSpecAndWait(self, request, context):
        try:
            job = self.cuebot.launch(request.spec)
        except Refused as error:
            context.abort(grpc.StatusCode.INTERNAL, f"Failed to launch job: {error}")
        return job_pb2.JobLaunchSpecAndWaitResponse(jobs=job_pb2.JobSeq(jobs=[self._message(job)]))

    def GetJob(self, request, context):
        return job_pb2.JobGetJobResponse(job=self._message(self._job(request.id, context)))

    def GetLayers(self, request, context):
        job = self._job(request.job.id, context)
        return job_pb2.JobGetLayersResponse(
            layers=job_pb2.LayerSeq(layers=[_layer(job, layer) for layer in job.layers.values()])
        )

    def GetFrames(self, request, context):
        found = [
            job_pb2.Frame(id=frame.id, layer_name=frame.layer.name, number=frame.number, state=frame.state)
            for frame in self._job(request.job.id, context).frames
        ]
        first = (request.req.page - 1) * request.req.limit
        page = found[first : first + request.req.limit]
        return job_pb2.JobGetFramesResponse(frames=job_pb2.FrameSeq(frames=page))

    def Kill(self, request, context):
        self.cuebot.kill(self._job(request.job.id, context))
        return job_pb2.JobKillResponse()

    def _job(self, job_id, context):
        job = self.cuebot.jobs.get(job_id)
        if job is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Failed to find job {job_id}")
        return job

    def _message(self, job):
        state = job_pb2.FINISHED if job.is_over else job_pb2.PENDING
        return job_pb2.Job(
            id=job.id, name=job.name, state=state, show=job.show, shot=job.shot, user=job.user,
            priority=job.priority, log_dir=str(self.cuebot.logs),
        )  # fmt: skip


class CueService(cue_pb2_grpc.CueInterfaceServicer):
    def GetSystemStats(self, request, context):
        return cue_pb2.CueGetSystemStatsResponse()


class ReportService(report_pb2_grpc.RqdReportInterfaceServicer):
    def __init__(self, cuebot):
        self.cuebot = cuebot

    def ReportRqdStartup(self, request, context):
        self.cuebot.turn.set()
        return report_pb2.RqdReportRqdStartupResponse()

    def ReportStatus(self, request, context):
        return report_pb2.RqdReportStatusResponse()

    def ReportRunningFrameCompletion(self, request, context):
        self.cuebot.completed(request.frame_complete_report)
        return report_pb2.RqdReportRunningFrameCompletionResponse()


def conform(name):
    name = name.replace("-", "_").lower()
    if not NAME.match(name):
        raise Refused(f"The name {name} is not in the proper format.")
    return name


def kib(text):
    """Memory as Cuebot reads it, in KiB."""
    if "m" in text:
        return int(float(text.rstrip("m")) * 1024)
    return int(text.rstrip("g")) * KIB_OF_GIB


def _layer(job, layer):
    counts = {state: sum(frame.state == state for frame in layer.frames) for state in (RUNNING, SUCCEEDED, DEAD)}
    rest = len(layer.frames) - sum(counts.values())
    stats = job_pb2.LayerStats(
        total_frames=len(layer.frames), running_frames=counts[RUNNING], succeeded_frames=counts[SUCCEEDED],
        dead_frames=counts[DEAD], waiting_frames=rest if job.is_open(layer) else 0,
        depend_frames=0 if job.is_open(layer) else rest,
    )  # fmt: skip
    return job_pb2.Layer(
        id=layer.id, name=layer.name, layer_stats=stats, min_memory=layer.memory, min_gpus=layer.gpus,
        min_gpu_memory=layer.gpu_memory, tags=layer.tags, timeout=layer.timeout, min_cores=layer.cores,
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rqd", type=int, required=True)
    parser.add_argument("--logs", type=Path, required=True)
    options = parser.parse_args()
    cuebot = Cuebot(options.rqd, options.logs)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    job_pb2_grpc.add_JobInterfaceServicer_to_server(JobService(cuebot), server)
    cue_pb2_grpc.add_CueInterfaceServicer_to_server(CueService(), server)
    report_pb2_grpc.add_RqdReportInterfaceServicer_to_server(ReportService(cuebot), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
