"""The node classes the fake knows, and the knobs that a fresh node of each has (`knobs.json`)."""

import json
import os

from . import choiceknobs, numberknobs, textknobs
from .bench import NotModelled

PATH = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "knobs.json")

KNOB_CLASSES = {}
for _module in (textknobs, numberknobs, choiceknobs):
    KNOB_CLASSES.update({name: value for name, value in vars(_module).items() if name.endswith("_Knob")})
KNOB_CLASSES["PythonKnob"] = textknobs.PythonKnob

with open(PATH, encoding="utf-8") as _file:
    TABLE = json.load(_file)


def entry(class_name):
    """What the table holds of a class; RuntimeError for a name that is no class, as Nuke says it."""
    if class_name not in TABLE["classes"]:
        raise RuntimeError("{}: Unknown command".format(class_name))
    return TABLE["classes"][class_name]


def fresh_knobs(class_name):
    """New knobs, in order, of a node of a class."""
    found = entry(class_name)
    specified = {}
    for group in found["groups"]:
        specified.update(TABLE["groups"][group])
    specified.update(found["knobs"])
    return [make(name, specification) for name, specification in specified.items()]


def file_type_knobs(class_name, file_type):
    """New knobs that a node gets once its file type is set; NotModelled for a type without any known."""
    types = entry(class_name).get("types", {})
    if file_type.strip() and file_type not in types:
        raise NotModelled("the knobs of a {} for {!r}".format(class_name, file_type))
    return [make(name, specification) for name, specification in types.get(file_type, {}).items()]


def make(name, specification):
    """One knob from its line in the table: a class name, or that with a default and the entries."""
    parts = [specification] if isinstance(specification, str) else specification
    cls = KNOB_CLASSES[parts[0]]
    knob = cls(name, name, parts[2]) if len(parts) > 2 else cls(name, name)
    if len(parts) > 1 and parts[1] != "":
        knob._value = knob._checked(parts[1]) if not isinstance(parts[1], list) else [float(n) for n in parts[1]]
        knob._default = knob._copy(knob._value)
    knob._user = False
    return knob
