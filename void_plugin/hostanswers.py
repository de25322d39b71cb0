"""What the host answers when its sidecar asks: functions by name, and the lines that become of them."""

from typing import Any, Callable, Dict

from void_plugin.errors import HostError, VoidError
from void_plugin.lineprotocol import line_of

Answer = Callable[[Dict[str, Any]], Dict[str, Any]]


class HostAnswers:
    """The functions of one host."""

    def __init__(self, note: Callable[[str], None]) -> None:
        """`note` gets what went wrong in the host's own code."""
        self._functions: Dict[str, Answer] = {}
        self._note = note

    def add(self, name: str, function: Answer) -> None:
        """Answer by this function from now on."""
        self._functions[name] = function

    def line(self, message: Dict[str, Any]) -> bytes:
        """The line that answers what was asked; runs the host's function, however long that takes."""
        name, number, args = message.get("call"), message.get("ask"), message.get("args")
        try:
            function = self._functions.get(str(name))
            if function is None:
                raise HostError("The host answers nothing called {!r}.".format(name), "host.call")
            return line_of({"ask": number, "result": function(args if isinstance(args, dict) else {})})
        except VoidError as error:
            code, text = error.code, error.message
        except Exception as error:  # the top of the host's own code
            self._note("the host failed to answer {!r}: {!r}".format(name, error))
            code, text = "host.failed", "The host failed to answer {!r}: {!r}.".format(name, error)
        return line_of({"ask": number, "error": {"code": code, "text": text}})
