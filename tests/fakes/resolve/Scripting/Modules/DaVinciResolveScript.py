"""Stands where Resolve installs its own module of this name: below `$RESOLVE_SCRIPT_API/Modules`."""

import os as _os
import sys as _sys

_TESTS = _os.path.dirname(_os.path.abspath(__file__))
for _ in range(4):
    _TESTS = _os.path.dirname(_TESTS)
_sys.path.append(_TESTS)

from fakes.resolve.process import scriptapp  # noqa: E402, F401
