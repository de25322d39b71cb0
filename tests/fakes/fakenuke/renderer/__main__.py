"""The pixels of the fake Nuke: one order a line on stdin, one answer a line on stdout.

It runs in the tests' own Python, with numpy and OpenImageIO, and knows nothing of nodes: the host process has already
worked out which operations on which files make a frame. All arithmetic is in float32, nothing is colour managed.
"""

import json
import sys

import exrfiles
import numpy as np
import OpenImageIO as oiio
import operations


def frame(order):
    """The picture that a list of operations makes; the last of them is the result."""
    made = []
    for operation in order["operations"]:
        inputs = [made[index] if index is not None else None for index in operation["inputs"]]
        made.append(operations.run(operation, inputs))
    return made[-1]


def answer(order):
    """What one order asks for."""
    if order["do"] == "header":
        return exrfiles.header(order["path"])
    picture = frame(order)
    if order["do"] == "evaluate":
        planes = [picture.plane(name) for name in order["channels"]]
        np.save(order["path"], np.stack(planes, axis=-1))
        return {"shape": [*planes[0].shape, len(planes)]}
    exrfiles.write(picture, order["write"])
    return {}


def main():
    # Whatever prints in here must not end up between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        order = json.loads(line)
        try:
            told = {"result": answer(order)}
        except operations.Unreadable as error:
            told = {"error": str(error)}
        except exrfiles.MissingChannel:
            told = {"error": f"{order['write']['node']}: Missing input channel"}
        except OSError as error:
            how = order["write"]
            told = {"error": f"{how['node']}: {how['path']}: Write failed [{error.errno}]: {error.strerror}"}
        except operations.Unfit as error:
            told = {"unfit": str(error)}
        print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    np.seterr(all="ignore")
    oiio.attribute("threads", 1)
    main()
