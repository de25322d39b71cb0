"""The media pool, its bins, and what lies on the disks."""

from __future__ import annotations

import os

from .. import media
from . import placing
from .base import Model


class Pool(Model):
    """Its data is the project's."""

    def GetUniqueId(self):
        return "pool-of-" + self.data["id"]

    def GetRootFolder(self):
        return self.bench.handle("Folder", self.data["root"]["id"])

    def GetCurrentFolder(self):
        return self.bench.handle("Folder", self.data["folder"])

    def SetCurrentFolder(self, folder):
        found = self.given(folder)
        if found is None:
            return False
        self.data["folder"] = found["id"]
        return True

    def RefreshFolders(self):
        return True

    def AddSubFolder(self, folder, name):
        """The new bin becomes the current one; None when the parent has one of that name."""
        parent = self.given(folder)
        if parent is None or not name or any(inner["name"] == name for inner in parent["folders"]):
            return None
        made = {"id": self.world.new_id("folder"), "name": name, "clips": [], "folders": [], "stale": False}
        parent["folders"].append(made)
        self.data["folder"] = made["id"]
        return self.bench.handle("Folder", made["id"])

    def DeleteFolders(self, folders):
        """With all that is in them, and on the timelines too."""
        found = [self.given(folder) for folder in folders]
        if not found or None in found or self.data["root"] in found:
            return False
        for folder in found:
            gone = list(self.world.folders(folder))
            for inner in gone:
                self._forget(inner["clips"])
            for parent in list(self.world.folders()):
                if folder in parent["folders"]:
                    parent["folders"].remove(folder)
            if self.data["folder"] in [inner["id"] for inner in gone]:
                self.data["folder"] = self.data["root"]["id"]
        return True

    def DeleteClips(self, clips):
        """An item that shows a deleted clip leaves its timeline too."""
        found = [self.given(clip) for clip in clips]
        if not found or None in found:
            return False
        self._forget([clip["id"] for clip in found])
        return True

    def MoveClips(self, clips, folder):
        found, target = [self.given(clip) for clip in clips], self.given(folder)
        if not found or None in found or target is None:
            return False
        for clip in found:
            for inner in self.world.folders():
                if clip["id"] in inner["clips"]:
                    inner["clips"].remove(clip["id"])
            target["clips"].append(clip["id"])
        return True

    def ImportMedia(self, items):
        """Into the current bin; nothing for files that are not there, a duplicate for those that are known."""
        made = []
        for entry in items:
            for clip in media.imported(self.world, self.knobs, entry):
                self.data["clips"][clip["id"]] = clip
                self.world.find("Folder", self.data["folder"])["clips"].append(clip["id"])
                made.append(clip)
        return self.handles("MediaPoolItem", made)

    def AppendToTimeline(self, *clips):
        if len(clips) == 1 and isinstance(clips[0], (list, tuple)):
            clips = clips[0]
        return placing.append(
            self.bench, [clip if isinstance(clip, dict) else {"mediaPoolItem": clip} for clip in clips]
        )

    def GetSelectedClips(self):
        return self.handles("MediaPoolItem", [self.data["clips"][key] for key in self.data["selected"]])

    def GetClipMatteList(self, clip):
        found = self.given(clip)
        return list(found["mattes"]) if found else []

    def DeleteClipMattes(self, clip, paths):
        found = self.given(clip)
        if not found or not all(path in found["mattes"] for path in paths):
            return False
        found["mattes"] = [path for path in found["mattes"] if path not in paths]
        return True

    def _forget(self, keys):
        for key in keys:
            self.data["clips"].pop(key, None)
        for folder in self.world.folders():
            folder["clips"] = [key for key in folder["clips"] if key not in keys]
        for timeline, _, _, item in list(self.world.items()):
            for tracks in timeline["tracks"].values():
                for track in tracks:
                    if item in track["items"] and item["media"] in keys:
                        track["items"].remove(item)
        self.data["selected"] = [key for key in self.data["selected"] if key not in keys]


class Bin(Model):
    def GetName(self):
        return self.data["name"]

    def GetUniqueId(self):
        return self.data["id"]

    def GetClipList(self):
        clips = self.world.project["clips"]
        return self.handles("MediaPoolItem", [clips[key] for key in self.data["clips"]])

    def GetSubFolderList(self):
        return self.handles("Folder", self.data["folders"])

    def GetIsFolderStale(self):
        return self.data["stale"]


class Storage(Model):
    def GetMountedVolumeList(self):
        return ["/"]

    def GetSubFolderList(self, path):
        return sorted(entry.path for entry in os.scandir(path) if entry.is_dir()) if os.path.isdir(path) else []

    def GetFileList(self, path):
        return sorted(entry.path for entry in os.scandir(path) if entry.is_file()) if os.path.isdir(path) else []

    def AddClipMattesToMediaPool(self, clip, paths, eye=None):
        found = self.given(clip)
        if not found or not paths:
            return False
        found["mattes"] += [path for path in paths if path not in found["mattes"]]
        return True
