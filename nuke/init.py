"""Read by every Nuke that has this folder on NUKE_PATH, also on a farm: only lets Python find `void_plugin`."""

import os
import sys


def _add_package():
    # Installed by `void nuke install` the package lies beside this file, in the repository one folder up. Appended, so
    # that nothing of ours ever takes the place of a module of Nuke or of the studio.
    here = os.path.dirname(os.path.abspath(__file__))
    for folder in (here, os.path.dirname(here)):
        if os.path.isfile(os.path.join(folder, "void_plugin", "hosts", "nuke_host.py")) and folder not in sys.path:
            sys.path.append(folder)
            return


try:
    _add_package()
except Exception as error:  # Nuke must start whatever happens to us
    print("void_plugin: not found: {}: {}".format(type(error).__name__, error))
