"""Shows the clips that are selected, at the playhead, or have a marker VOID in a panel, and removes from those sent."""

import os
import sys

FOLDER = ""  # where void_plugin lies; written by `void resolve install`, empty in the repository

try:
    sys.path.append(FOLDER or os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    from void_plugin.hosts import resolve_host

    resolve_host.run("remove", {"panel": True}, globals())
except Exception as error:  # Resolve's console is all that can say it
    print("VOID: {}: {}; run `void resolve install` again.".format(type(error).__name__, error))
