"""One call of Resolve, made so that every way in which it can fail has a sentence.

Resolve answers nearly every failure with None, False or something empty, and gives no reason. A call here says what
was called, with what, and what the user can do; what Resolve may rightly leave out is an Optional.
"""

import math
from typing import Any, Dict, List, Optional

from void_plugin.errors import HostError

CODE = "host.resolve"
USUAL_FIX = "see that no dialog is open in Resolve and that it is not busy, then try again"
OLD_FIX = "it needs DaVinci Resolve 18.5 or newer"
GONE_FIX = "see that Resolve still runs and shows no dialog, then try again"


def refused(call: str, arguments: Any, why: str, fix: str = USUAL_FIX) -> HostError:
    """The error of a call: its name, what it was given, what happened, and what the user can do."""
    given = ", ".join(_short(value) for value in arguments)
    return HostError("Resolve's {}({}) {}; {}.".format(call, given, why, fix), CODE)


def _short(value: Any) -> str:
    text = repr(value.label() if isinstance(value, Wrapped) else value)
    return text if len(text) <= 200 else text[:197] + "..."


class Wrapped:
    """An object of Resolve, and the only way to call it."""

    OF = ""
    """Its class in Blackmagic's own list of calls."""

    def __init__(self, raw: Any) -> None:
        """`raw` is what Resolve gave."""
        self.raw = raw

    def label(self) -> str:
        """What it is called in sentences."""
        return self.OF

    def has(self, name: str) -> bool:
        """True where this Resolve knows a call; its objects claim every attribute, but list only what is there."""
        return name in dir(self.raw)

    def _call(self, name: str, *arguments: Any) -> Any:
        """What Resolve answers, as it is. Raises HostError where it cannot be called."""
        full = "{}.{}".format(self.OF, name)
        method = getattr(self.raw, name, None)
        if not callable(method):
            raise refused(full, arguments, "is not known to this Resolve", OLD_FIX)
        try:
            return method(*[_bare(value) for value in arguments])
        except Exception as error:  # another program's code, over another program's connection
            raise refused(full, arguments, "failed: {!r}".format(error), GONE_FIX) from error

    def _assign(self, name: str, value: Any) -> None:
        """Set an attribute, of which only Fusion has any. Raises HostError where it cannot be set."""
        try:
            setattr(self.raw, name, value)
        except Exception as error:  # as for a call
            raise refused("{}.{}".format(self.OF, name), [value], "failed: {!r}".format(error), GONE_FIX) from error

    def _must(self, name: str, *arguments: Any, **how: str) -> Any:
        """What Resolve answers, which must be something. Raises HostError with `fix` otherwise."""
        found = self._call(name, *arguments)
        if not found:
            raise refused("{}.{}".format(self.OF, name), arguments, "was refused", how.get("fix", USUAL_FIX))
        return found

    def _text(self, name: str, *arguments: Any) -> str:
        """A text, empty where there is none."""
        found = self._call(name, *arguments)
        return "" if found is None or found is False else str(found)

    def _whole(self, name: str, *arguments: Any) -> Optional[int]:
        """A whole number, None where Resolve does not say."""
        return whole(self._call(name, *arguments))

    def _frame(self, name: str, *arguments: Any) -> int:
        """A whole number that must be there; the getters of a ghost answer None."""
        found = self._whole(name, *arguments)
        if found is None:
            raise refused("{}.{}".format(self.OF, name), arguments, "says nothing of {}".format(self.label()))
        return found

    def _yes(self, name: str, *arguments: Any) -> bool:
        """True or False."""
        return bool(self._call(name, *arguments))

    def _list(self, name: str, *arguments: Any) -> List[Any]:
        """A list without the holes that Resolve leaves in it; empty where there is none."""
        found = self._call(name, *arguments)
        if isinstance(found, dict):  # as Lua's tables arrive in some versions
            found = [found[key] for key in sorted(found)]
        return [item for item in found if item is not None] if isinstance(found, (list, tuple)) else []

    def _map(self, name: str, *arguments: Any) -> Dict[Any, Any]:
        """A mapping, empty where there is none."""
        found = self._call(name, *arguments)
        return dict(found) if isinstance(found, dict) else {}


def whole(value: Any) -> Optional[int]:
    """A number of Resolve's as a whole one, None where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return round(value)


def _bare(value: Any) -> Any:
    """What Resolve is given: its own objects rather than ours, also in lists and mappings."""
    if isinstance(value, Wrapped):
        return value.raw
    if isinstance(value, (list, tuple)):
        return [_bare(item) for item in value]
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items()}
    return value


class Named(Wrapped):
    """An object that has a name and a unique id, which are empty for a ghost: an append that failed may give one."""

    def id(self) -> str:
        """Its unique id."""
        return self._text("GetUniqueId")

    def name(self) -> str:
        """The name that Resolve shows."""
        return self._text("GetName")

    def label(self) -> str:
        """Its name."""
        return self.name() or self.OF
