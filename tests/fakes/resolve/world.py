"""All that a Resolve knows, as plain values: what a scene describes, what calls change, what tests compare."""

from __future__ import annotations

import copy


class World:
    """The data of one Resolve, and how its objects are found by kind and id."""

    def __init__(self, data):
        self.data = data

    def state(self):
        """What can be compared: without the counter of ids, and without how far the queue was asked."""
        found = copy.deepcopy(self.data)
        found.pop("next", None)
        return found

    def new_id(self, kind):
        """An id that was never given before."""
        self.data["next"] = self.data.get("next", 0) + 1
        return "{}-{:04d}".format(kind, self.data["next"])

    @property
    def project(self):
        return self.data["project"]

    @property
    def timeline(self):
        """The current timeline, or None."""
        project = self.project
        return self.timeline_by(project["timeline"]) if project else None

    def timeline_by(self, key):
        return next((timeline for timeline in self.project["timelines"] if timeline["id"] == key), None)

    def clip(self, key):
        return self.project["clips"].get(key) if self.project else None

    def folders(self, folder=None):
        """Every bin from one (the root) on, in order."""
        folder = folder or self.project["root"]
        yield folder
        for inner in folder["folders"]:
            yield from self.folders(inner)

    def items(self):
        """Every timeline, track type, track number and item of the project."""
        for timeline in self.project["timelines"]:
            for kind, tracks in timeline["tracks"].items():
                for index, track in enumerate(tracks):
                    for item in track["items"]:
                        yield timeline, kind, index + 1, item

    def place_of(self, key):
        """Timeline, track type, track number and data of an item; None when it is gone."""
        return next((place for place in self.items() if place[3]["id"] == key), None)

    def find(self, kind, key):
        """The data of an object, None when it is gone."""
        if kind in ("Resolve", "ProjectManager", "MediaStorage"):
            return self.data
        if self.project is None:
            return None
        if kind == "Project":
            return self.project if self.project["id"] == key else None
        if kind == "MediaPool":
            return self.project
        if kind == "Folder":
            return next((folder for folder in self.folders() if folder["id"] == key), None)
        if kind == "MediaPoolItem":
            return self.clip(key)
        if kind == "Timeline":
            return self.timeline_by(key)
        if kind in ("TimelineItem", "Graph"):
            place = self.place_of(key)
            return place[3] if place else None
        if kind in ("FusionComp", "FusionTool"):
            owner, comp, *tool = key.split("|")
            place = self.place_of(owner)
            found = place[3]["fusion"].get(comp) if place else None
            return found if found is None or not tool else found["tools"].get(tool[0])
        return {}
