"""A stand-in for DaVinci Resolve: its scripting API as `fusionscript-stubs` publish it, strict, with a small model.

    from fakes.resolve import Bench, Knobs, difference, scenes, void

    scene = scenes.cut(tmp_path)
    bench = Bench(scene.data, Knobs(append_returns_ghost=True))
    before = bench.state()
    ...                                    # code of ours with bench.resolve
    assert difference(before, bench.state(), ours=void) == []
    bench.verify()                         # no unknown name, wrong argument or forbidden call, swallowed or not

It shows what code of ours asks of Resolve and how it copes with each measured fault. It cannot show that Resolve
behaves as the model does: where that is not known, the model takes the side that is harder for us.
"""

from . import scenes
from .bench import Bench
from .difference import difference, void
from .knobs import Knobs
from .scene import Scene
from .strict import Broken, Handle

__all__ = ["Bench", "Broken", "Handle", "Knobs", "Scene", "difference", "scenes", "void"]
