"""What each call does, one class for each kind of object; the gate in `bench` has checked the arguments before."""

from .application import Application, Manager
from .clip import Clip
from .fusion import Comp, Tool
from .item import Graph, Item
from .pool import Bin, Pool, Storage
from .project import Project
from .timeline import Timeline

MODELS = {
    "Resolve": Application,
    "ProjectManager": Manager,
    "Project": Project,
    "MediaStorage": Storage,
    "MediaPool": Pool,
    "Folder": Bin,
    "MediaPoolItem": Clip,
    "Timeline": Timeline,
    "TimelineItem": Item,
    "Graph": Graph,
    "FusionComp": Comp,
    "FusionTool": Tool,
}
"""By the stubs' name; what is not here can be held but not asked."""
