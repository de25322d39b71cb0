"""Fusion compositions of clips in Resolve, and their Savers: tools that write what they are connected to as files.

A composition counts its own frames. Blackmagic lists none of these calls among Resolve's; they are Fusion's own.
"""

from typing import Any, Dict, List, Optional, Tuple

from void_plugin.hosts.resolve_calls import Wrapped, refused, whole

SAVER = "Saver"
QUIET = 524288
"""Render without a dialog at the end (REQF_Quiet)."""
FUSION_FIX = "open the clip on the Fusion page, see that its composition shows a picture, and try again"
_PASSED = "TOOLB_PassThrough"


class Saver(Wrapped):
    """A Saver in a composition."""

    OF = "FusionTool"

    def name(self) -> str:
        """Its name, of which there is one in a composition."""
        return str(self._map("GetAttrs").get("TOOLS_Name") or "")

    def label(self) -> str:
        """Its name."""
        return self.name() or self.OF

    def is_passed(self) -> bool:
        """True where it is switched off, and writes nothing."""
        return bool(self._map("GetAttrs").get(_PASSED))

    def pass_through(self, passed: bool) -> None:
        """Switch it off or on. Raises HostError where it stays as it was."""
        self._call("SetAttrs", {_PASSED: passed})
        if self.is_passed() != passed:
            raise refused("FusionTool.SetAttrs", [self, _PASSED, passed], "changed nothing", FUSION_FIX)

    def input(self, key: str) -> Any:
        """The value of one of its inputs; None for one that was never set."""
        return self._call("GetInput", key)

    def set_input(self, key: str, value: Any) -> None:
        """Set an input. Raises HostError where it reads back otherwise, as one with an expression does."""
        self._call("SetInput", key, value)
        found = self.input(key)
        if (found or "") != (value or ""):
            why = "left it at {!r}".format(found)
            raise refused("FusionTool.SetInput", [self, key, value], why, "take the expression off that input")


class Comp(Wrapped):
    """A composition."""

    OF = "FusionComp"

    def savers(self) -> Dict[str, Saver]:
        """Its Savers by name."""
        found = self._map("GetToolList", False, SAVER)
        savers = [Saver(found[key]) for key in sorted(found)]
        return {saver.name(): saver for saver in savers}

    def frames(self) -> Optional[Tuple[int, int]]:
        """First and last of its frames that the clip shows; None where it does not say."""
        said = self._map("GetAttrs")
        first, last = whole(said.get("COMPN_RenderStart")), whole(said.get("COMPN_RenderEnd"))
        return None if first is None or last is None else (first, last)

    def time(self) -> Optional[float]:
        """The frame that it stands at; None where it does not say."""
        found = self._map("GetAttrs").get("COMPN_CurrentTime")
        return None if found is None else float(found)

    def go(self, time: float) -> None:
        """Let it stand at a frame. Raises HostError where it stands elsewhere then."""
        self._assign("CurrentTime", time)
        if self.time() != time:
            raise refused("FusionComp.CurrentTime", [time], "left it at {}".format(self.time()), FUSION_FIX)

    def render(self, first: int, last: int) -> None:
        """Let all Savers that are on write these frames, and wait for it. Raises HostError."""
        wanted = {"Start": first, "End": last, "Wait": True, "RenderFlags": QUIET}
        self._must("Render", wanted, fix=FUSION_FIX)


def names_of(comps: Dict[str, Comp]) -> List[List[str]]:
    """Composition and name of every Saver in some compositions."""
    return [[name, saver] for name, comp in comps.items() for saver in comp.savers()]
