"""Resolve itself and its project manager."""

from __future__ import annotations

from .. import facts, strict
from .base import Model


class Application(Model):
    def GetProductName(self):
        return self.data["product"]

    def GetVersion(self):
        return list(self.data["version"])

    def GetVersionString(self):
        numbers = self.data["version"]
        return ".".join(str(part) for part in numbers[:3]) + "." + str(numbers[3]) + str(numbers[4])

    def GetCurrentPage(self):
        return self.data["page"] if self.data["project"] else None

    def OpenPage(self, page):
        if page not in facts.PAGES or not self.data["project"]:
            return False
        self.data["page"] = page
        return True

    def GetProjectManager(self):
        return self.bench.handle("ProjectManager", "manager")

    def GetMediaStorage(self):
        return self.bench.handle("MediaStorage", "storage")

    def Fusion(self):
        return self.bench.handle("Fusion", "fusion")

    def ExportRenderPreset(self, name, path):
        raise self.bench.breach(NotImplementedError("render presets are not written to files by this fake"))

    def ImportRenderPreset(self, path):
        raise self.bench.breach(NotImplementedError("render presets are not read from files by this fake"))


class Manager(Model):
    def GetCurrentProject(self):
        project = self.data["project"]
        return self.bench.handle("Project", project["id"]) if project else None

    def GetCurrentDatabase(self):
        return dict(self.data["database"]) if self.data["database"] else None

    def GetDatabaseList(self):
        return [dict(self.data["database"])] if self.data["database"] else []

    def GetProjectListInCurrentFolder(self):
        return [self.data["project"]["name"]] if self.data["project"] else []

    def GetProjectAttributesInCurrentFolder(self):
        """README of 24 July 2026: the attributes include these four."""
        project = self.data["project"]
        if not project:
            return {}
        attributes = {"lastModifiedDate": "2026-11-01", "creationDate": "2026-10-01", "notes": ""}
        return {project["name"]: dict(attributes, liveCollaborationMode=project["collaborative"])}

    def SaveProject(self):
        """Blocks for ever on a project that was never saved (resolve-mcp, Studio 19.1.3 with -nogui)."""
        project = self.data["project"]
        if not project:
            return False
        if project["name"] == "Untitled Project":
            raise self.bench.breach(strict.Broken("SaveProject on the Untitled Project blocks for ever"))
        project["saves"] += 1
        return True
