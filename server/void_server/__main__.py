"""`python -m void_server` is `void-server`."""

import sys

from void_server.cli import main

sys.exit(main())
