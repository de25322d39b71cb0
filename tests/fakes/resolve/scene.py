"""Builds a project in Resolve as plain values, with its plates as small EXR files on the disk.

scene = Scene(tmp_path)
plate = scene.sequence("sh010", 24)
scene.place(plate, 86400, 12, offset=4)
bench = Bench(scene.data)
"""

from __future__ import annotations

import os

from . import facts, media, pictures
from .models.placing import new_item
from .models.timeline import new_track

START = 86400
"""01:00:00:00 at 24 frames a second."""
WIDTH, HEIGHT = 64, 36


def gradient(seed):
    """A picture that differs in every pixel, frame and clip, in values that half floats hold."""

    def draw(index, width, height):
        import numpy as np

        y, x = np.mgrid[0:height, 0:width]
        planes = [(x * 3 + y * 5 + index * 7 + seed * 11 + channel * 13) % 251 / 256 for channel in range(3)]
        return np.stack(planes, -1).astype(np.float16).astype(np.float32)

    return draw


class Scene:
    """Builds `data`, what a Bench is made from; files go below `folder`. Start with 2 video tracks and 1 of audio."""

    def __init__(self, folder, rate="24", name="Feature", start=START, tracks=2, version=(21, 0, 4, 5, "")):
        self.folder = str(folder).replace(os.sep, "/")
        self.counter = 0
        settings = dict(facts.PROJECT_SETTINGS, timelineFrameRate=rate, timelinePlaybackFrameRate=rate)
        self.data = {
            "product": "DaVinci Resolve Studio",
            "version": list(version),
            "page": "edit",
            "database": {"DbType": "Disk", "DbName": "Local Database"},
            "presets": facts.presets(),
            "project": {
                "id": "project-1",
                "name": name,
                "settings": settings,
                "collaborative": False,
                "saves": 0,
                "timelines": [],
                "timeline": None,
                "root": {"id": "folder-root", "name": "Master", "clips": [], "folders": [], "stale": False},
                "folder": "folder-root",
                "clips": {},
                "selected": [],
                "render": {
                    "format": "mov",
                    "codec": "ProRes4444",
                    "mode": 0,
                    "settings": {"TargetDir": self.folder + "/theirs", "CustomName": "reel_3", "ExportAudio": True},
                    "hidden": facts.hidden(data_levels="Video"),
                    "jobs": [],
                    "running": None,
                },
            },
            "next": 0,
        }
        plates = self.bin("Plates")
        self.project["folder"] = plates["id"]
        self.timeline = self.add_timeline("Reel 3", start, tracks)
        self.project["timeline"] = self.timeline["id"]

    @property
    def project(self):
        return self.data["project"]

    @property
    def rate(self):
        return float(self.project["settings"]["timelineFrameRate"])

    def id(self, kind):
        self.counter += 1
        return "{}-s{:03d}".format(kind, self.counter)

    # -- structure
    def bin(self, name, parent=None):
        """A bin of the media pool, in the root unless said otherwise."""
        made = {"id": self.id("folder"), "name": name, "clips": [], "folders": [], "stale": False}
        (parent or self.project["root"])["folders"].append(made)
        return made

    def add_timeline(self, name, start=START, tracks=2):
        """One more timeline, that is not current; the playhead stands on its eighth frame, marks are set."""
        made = {
            "id": self.id("timeline"),
            "name": name,
            "start": start,
            "settings": {},
            "tracks": {
                "video": [new_track(self.id("track"), "Video " + str(index + 1)) for index in range(tracks)],
                "audio": [new_track(self.id("track"), "Audio 1")],
                "subtitle": [],
            },
            "markers": [],
            "marks": {"video": {"in": 2, "out": 40}, "audio": {"in": 2, "out": 40}},
            "playhead": start + 7,
            "selected": [],
        }
        self.project["timelines"].append(made)
        return made

    def track(self, number, **changes):
        """The data of a video track of the current timeline, changed (`name`, `enabled`, `locked`)."""
        found = self.timeline["tracks"]["video"][number - 1]
        found.update(changes)
        return found

    def add_track(self, name):
        """A video track above all others; returns its number."""
        self.timeline["tracks"]["video"].append(new_track(self.id("track"), name))
        return len(self.timeline["tracks"]["video"])

    # -- media
    def sequence(self, name, count=24, first=1001, draw=None, size=(WIDTH, HEIGHT), fps=None, start_tc=0, **more):
        """An EXR sequence on the disk and in the bin; `draw(index, width, height)` gives the pixels of a frame."""
        folder = "{}/media/{}".format(self.folder, name)
        os.makedirs(folder)
        pattern = "{}/{}.%04d.exr".format(folder, name)
        for index in range(count):
            pixels = (draw or gradient(len(self.project["clips"])))(index, *size)
            pictures.save(pattern % (first + index), pixels)
        label = "{}.[{:04d}-{:04d}].exr".format(name, first, first + count - 1)
        rate = self.rate if fps is None else fps
        return self._add(label, "sequence", pattern, first, first + count - 1, rate, size, start_tc, **more)

    def matte(self, name, count=24, box=(20, 10, 40, 26), **more):
        """A sequence that is white inside a box of x0, y0, x1, y1 and black elsewhere."""

        def draw(index, width, height):
            import numpy as np

            pixels = np.zeros((height, width, 3), np.float32)
            pixels[box[1] : box[3], box[0] : box[2]] = 1
            return pixels

        return self.sequence(name, count, draw=draw, **more)

    def movie(self, name, count=24, path="", fps=None, start_tc=0, **more):
        """A movie clip; without a path its file is a placeholder. Deliver shows EXR frames that lie beside it."""
        frames = "{}/media/{}_frames".format(self.folder, name)
        os.makedirs(frames)
        pattern = frames + "/frame.%04d.exr"
        for index in range(count):
            pictures.save(pattern % index, gradient(7)(index, WIDTH, HEIGHT))
        if not path:
            path = "{}/media/{}.mov".format(self.folder, name)
            with open(path, "wb") as file:
                file.write(b"\x00\x00\x00\x14ftypqt  a movie in name only")
        rate = self.rate if fps is None else fps
        size = (WIDTH, HEIGHT)
        return self._add(name + ".mov", "movie", path, 0, count - 1, rate, size, start_tc, pixels=pattern, **more)

    def still(self, name):
        """One picture."""
        os.makedirs(self.folder + "/media", exist_ok=True)
        path = "{}/media/{}.exr".format(self.folder, name)
        pictures.save(path, gradient(3)(0, WIDTH, HEIGHT))
        return self._add(name + ".exr", "still", path, 0, 0, self.rate, (WIDTH, HEIGHT), 0)

    def _add(self, name, kind, path, first, last, fps, size, start_tc, **more):
        made = media.clip(self.id("clip"), name, kind, path, first, last, fps, size, start_tc, **more)
        self.project["clips"][made["id"]] = made
        bins = {folder["name"]: folder for folder in self.project["root"]["folders"]}
        bins["Plates"]["clips"].append(made["id"])
        return made

    def offline(self, clip):
        """Takes the files of a clip away."""
        numbers = range(clip["first"], clip["last"] + 1)
        for path in [clip["path"] % number for number in numbers] if "%" in clip["path"] else [clip["path"]]:
            os.remove(path)

    # -- items
    def place(self, clip, start, duration, offset=0, track=1, timeline=None, **more):
        """An item of a clip: record frames `start` and `duration`, `offset` in the media; also `speed`, `grade`."""
        item = new_item(self.id("item"), clip["name"], "clip", start, duration, clip["id"], offset, **more)
        return self._put(item, track, timeline)

    def generator(self, name, start, duration, track=1, kind="generator", solid=0.5, **more):
        """A generator or a title of one grey, without media."""
        item = new_item(self.id("item"), name, kind, start, duration, solid=solid, **more)
        return self._put(item, track, None)

    def dissolve(self, cut, before=4, after=4, track=1):
        """A transition over a cut, that lies among the items of its track, as Resolve lists it."""
        item = new_item(self.id("item"), "Cross Dissolve", "transition", cut - before, before + after, cut=before)
        return self._put(item, track, None)

    def _put(self, item, track, timeline):
        items = (timeline or self.timeline)["tracks"]["video"][track - 1]["items"]
        items.append(item)
        items.sort(key=lambda one: one["start"])
        return item

    def composition(self, item, shows, name="Composition 1", savers=("VOID_MATTE",), first=0):
        """A Fusion composition of an item, whose Savers show another clip at the same frames."""
        inputs = {"Clip": "", "CreateDir": 0, "OutputFormat": "OpenEXRFormat"}
        tools = {
            saver: {"name": saver, "type": "Saver", "passed": False, "inputs": dict(inputs), "shows": shows["id"]}
            for saver in savers
        }
        tools["MediaIn1"] = {"name": "MediaIn1", "type": "MediaIn", "passed": False, "inputs": {}, "shows": ""}
        made = {"name": name, "owner": item["id"], "range": [first, first + item["duration"] - 1], "time": first + 1.0}
        item["fusion"][name] = dict(made, tools=tools)
        return item["fusion"][name]

    def select(self, *items):
        """What GetSelectedClips of the timeline gives."""
        self.timeline["selected"] = [item["id"] for item in items]

    def mark(self, owner, frame, name="note", color="Blue", note="", custom="", duration=1):
        """A marker on an item, a clip or a timeline."""
        marker = {"frame": float(frame), "color": color, "duration": float(duration), "note": note, "name": name}
        owner["markers"].append(dict(marker, customData=custom))

    # -- the rest of Resolve
    def free(self, version=(21, 0, 4, 5, "")):
        """The free edition."""
        self.data.update(product="DaVinci Resolve", version=list(version))

    def untitled(self):
        """A project that was never saved."""
        self.project["name"] = "Untitled Project"

    def no_project(self):
        """Resolve with its project manager open."""
        self.data["project"] = None

    def no_timeline(self):
        """A project without one that is current."""
        self.project["timeline"] = None

    def collaborative(self, stale=()):
        """Live collaboration; `stale` are bins that another user has changed."""
        self.project["collaborative"] = True
        for folder in stale:
            folder["stale"] = True

    def wedged(self):
        """The state after an unclean exit: no database, everything else looks healthy (resolve-mcp's ledger)."""
        self.data["database"] = None

    def managed(self, mode="davinciYRGBColorManagedv2", **settings):
        """Colour management, with project settings such as `colorSpaceOutput`."""
        self.project["settings"].update(settings, colorScienceMode=mode)

    def user_jobs(self, count=2, running=False):
        """Jobs of the user's in the queue; with `running` the first renders, and goes on for ever."""
        for _ in range(count):
            job = {
                "id": self.id("theirs"),
                "timeline": self.timeline["id"],
                "format": "mov",
                "codec": "ProRes4444",
                "mode": 1,
                "settings": {"TargetDir": self.folder + "/theirs", "CustomName": "delivery"},
                "hidden": facts.hidden(),
                "first": self.timeline["start"],
                "last": self.timeline["start"] + 99,
                "done": 0,
                "status": "Ready",
                "error": "",
                "theirs": True,
            }
            self.project["render"]["jobs"].append(job)
        if running:
            first = self.project["render"]["jobs"][0]
            first.update(status="Rendering", done=30)
            self.project["render"]["running"] = first["id"]

    def preset(self, name="VOID Plate", file_format="exr", codec="RGBHalfZIP", **hidden):
        """A render preset of the user's; VOID Plate is flat, full range and without sizing unless said otherwise."""
        values = dict({"flat_pass": True, "data_levels": "Full", "disable_sizing": True}, **hidden)
        self.data["presets"][name] = facts.preset(file_format, codec, **values)
