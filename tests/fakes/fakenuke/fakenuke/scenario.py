"""Runs one scenario in a host process; started by tests/nukes.py, which explains the rules."""

import json
import sys
import traceback

FOREIGN = ("cv2", "fileseq", "google", "grpc", "numpy", "OpenImageIO", "PyOpenColorIO", "PySide6", "rich", "torch")
"""What must never be loaded inside a host by code of ours."""


def run(order):
    """What is written as the answer: the result, and everything that makes the test fail."""
    # A scenario belongs to `__main__`, as what a person types in Nuke does.
    space = vars(sys.modules["__main__"])
    for helper in order["helpers"]:
        exec(compile(helper, order["file"], "exec"), space)
    # Blank lines before the source make the traceback's numbers those of the test file.
    source = "\n" * (order["line"] - 1) + order["source"]
    exec(compile(source, order["file"], "exec"), space)
    result, problems = None, []
    try:
        result = space[order["name"]](*order["arguments"])
        json.dumps(result)
    except Exception:
        problems.append(traceback.format_exc())
    if "nuke" in sys.modules:
        fake = sys.modules["nuke"].fake
        problems.extend("a rule of Nuke's was broken: {}".format(fault) for fault in fake.faults)
        problems.extend("an exception left a callback:\n{}".format(text) for text in fake.tracebacks)
        fake.close()
    loaded = [name for name in FOREIGN if name in sys.modules]
    if loaded:
        problems.append("loaded inside the host: {}".format(", ".join(loaded)))
    return {"result": None if problems else result, "problems": problems}


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        given = json.load(file)
    answer = run(given)
    with open(given["answer"], "w", encoding="utf-8") as file:
        json.dump(answer, file)
