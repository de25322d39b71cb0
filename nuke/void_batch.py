"""Runs one VoidRemove node without windows: nuke -t void_batch.py script.nk --node VoidRemove1 [--frames 1001-1048]"""

import sys

from void_plugin.hosts.nuke_batch import main

sys.exit(main(sys.argv[1:]))
