"""The host's end of the renderer: one child process, started at the first order, asked line by line."""

import json
import os
import subprocess

from .bench import NotModelled

VARIABLE = "FAKE_NUKE_RENDERER"


class Renderer(object):
    """The child process that computes pixels."""

    def __init__(self):
        self._process = None

    def _start(self):
        command = os.environ.get(VARIABLE)
        if not command:
            raise RuntimeError("set {} to the command of the renderer, as a JSON list".format(VARIABLE))
        self._process = subprocess.Popen(json.loads(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, order):
        """What the child answers; RuntimeError in Nuke's words when a frame cannot be made."""
        if self._process is None:
            self._start()
        self._process.stdin.write((json.dumps(order) + "\n").encode("utf-8"))
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError("the renderer ended with {}".format(self._process.wait()))
        told = json.loads(line.decode("utf-8"))
        if "unfit" in told:
            raise NotModelled(told["unfit"])
        if "error" in told:
            raise RuntimeError(told["error"])
        return told["result"]

    def close(self):
        """Ends the child."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None
