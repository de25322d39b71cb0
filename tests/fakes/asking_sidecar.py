"""The real loop of a sidecar whose call `timeline` asks the host what a test has written into its options.

`asks` is a list of [name, args]; its answers and errors are the result. Then `then` may be `wait` (until it is
cancelled), `die`, or a sentence that is the error.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from void_plugin.desk import Desk  # noqa: E402
from void_plugin.errors import ServerError, VoidError  # noqa: E402
from void_plugin.hostcall import HostCall  # noqa: E402
from void_plugin.sidecar import Loop, Pipe  # noqa: E402


def timeline(desk: Desk, call: HostCall) -> dict[str, Any]:
    options = call.mapping("options")
    answers: list[Any] = []
    for name, args in options.get("asks", ()):
        try:
            answers.append(call.ask(name, {key: _filled(value, answers) for key, value in args.items()}, 60.0))
        except VoidError as error:
            answers.append({"error": error.message, "code": error.code})
    call.tell({"kind": "Asked", "answers": answers})
    then = options.get("then", "")
    if then == "die":
        os._exit(9)
    while then == "wait":
        call.check()
        time.sleep(0.01)
    if then:
        raise ServerError(then)
    return {"action": call.text("action"), "answers": answers}


def _filled(value: Any, answers: list[Any]) -> Any:
    """`<job>` stands for the job of the last answer that has one."""
    return next(one["job"] for one in reversed(answers) if "job" in one) if value == "<job>" else value


if __name__ == "__main__":
    Loop(Pipe.of_stdio(), Desk(os.environ), {"timeline": timeline}.get, "asking.log").run()
