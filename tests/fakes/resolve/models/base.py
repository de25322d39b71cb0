"""What all models share."""

from __future__ import annotations


class Model:
    """One object of Resolve's over its data in the world; a method that answers None refuses."""

    def __init__(self, bench, data):
        self.bench, self.data = bench, data
        self.world, self.knobs = bench.world, bench.knobs

    def handles(self, kind, datas):
        return [self.bench.handle(kind, data["id"]) for data in datas]

    def given(self, handle):
        """The data behind a handle that was passed; None when it is a ghost or gone."""
        return None if handle._ghost else self.world.find(handle._kind, handle._key)

    def stored(self, key):
        """Whether a property is really stored; a knob says for which keys the True of a setter is a lie."""
        return key not in self.knobs.set_property_true_not_stored
