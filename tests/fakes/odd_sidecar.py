"""Children that are no good sidecars: `python odd_sidecar.py HOW [NOTES]`. Every line that comes in goes to NOTES."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

HELLO = {"hello": {"protocol": 1, "version": "9.9", "host": "", "pid": os.getpid(), "log": ""}}


def say(message: Any) -> None:
    line = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
    os.write(1, line)


def lines(notes: str) -> Iterator[dict[str, Any]]:
    for line in sys.stdin.buffer:
        with open(notes, "ab") as stream:
            stream.write(line)
        yield json.loads(line)


def main(how: str, notes: str) -> None:
    with open(notes, "ab") as stream:
        stream.write(b"{}\n")  # one start more
    if how == "dies":
        sys.exit("the graphics card is on fire.")
    if how == "silent":
        time.sleep(600)
    if how == "refuses":
        say({"refused": "This sidecar is closed on Sundays."})
        return
    if how == "newer":
        say({"hello": {"protocol": 99, "version": "9.9"}})
        time.sleep(600)
    if how == "waits":  # for somebody to say that it may go on
        while not os.path.exists(notes + ".go"):
            time.sleep(0.01)
    if how == "garbage":
        say(b"Loading plug-ins...\n\xff\xfe\n[1, 2]\n{\n\n" + b"[" * 100_000 + b"\n")
        say({"id": 1, "result": {"early": True}})
    say(HELLO)
    if how == "stops reading":
        time.sleep(600)
    pings = 0
    for message in lines(notes):
        number = message.get("id")
        if "call" not in message or how == "deaf":
            continue
        if message["call"] == "ping":
            pings += 1
            say({"id": number, "result": {}})
        if how == "garbage":
            say(b"{} trailing\n")
            say(b"x" * (17 << 20) + b"\n")
            say({"id": "7", "result": {}})
            say({"id": [number], "result": {}})
            say({"id": number + 1000, "result": {}})
            say({"id": number, "mood": "fine"})
            say({"weather": "rain"})
            say({"id": number, "result": {"well": True}})
            say({"id": number, "result": {"twice": True}})
        elif how == "closes its output":
            os.close(1)
            time.sleep(600)
        elif how == "cut":
            say(b'{"id": 1, "resu')
            return
        elif how == "answers in lists":
            say({"id": number, "result": [1]})
        elif how == "slow" and pings >= 3:
            say({"id": 1, "result": {"pings": pings}})
        elif how == "late" and message["call"] == "cancel":
            say({"id": message["args"]["call"], "result": {"late": True}})
        elif how == "well" or (how == "waits" and message["call"] == "work"):
            say({"id": number, "result": {"args": message.get("args")}})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
