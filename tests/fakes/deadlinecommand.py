"""A stand-in for deadlinecommand: says in its words what the stand-in repository of tests/deadlines.py answers.

$FAKE_DEADLINE is the repository's address.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

STATES = {1: "Active", 2: "Suspended", 3: "Completed", 4: "Failed", 6: "Pending"}


def main(words: list[str]) -> int:
    try:
        print(answer(words))
    except urllib.error.HTTPError as error:
        with error:
            print(f"Error: {error.read().decode()} (System.Exception)")  # and 0, as the real one
    except urllib.error.URLError as error:
        print(f"Could not connect to the repository: {error.reason}", file=sys.stderr)
        return 1
    return 0


def answer(words: list[str]) -> str:
    if words == ["-GetPoolNames"]:
        call("GET", "repository?Directory=root")
        return "none\ncomp"
    if words[0] == "-GetJob":
        jobs = call("GET", f"jobs?JobID={words[1]}")
        return "\n".join(f"{key}={value}" for key, value in fields(jobs[0]).items()) if jobs else "No job was found."
    if words[0] == "-FailJob":
        call("PUT", "jobs", {"Command": "fail", "JobID": words[1]})
        return f"Failed job {words[1]}"
    job, plugin = map(read, words)
    told = call("POST", "jobs", {"JobInfo": job, "PluginInfo": plugin, "AuxFiles": [], "IdOnly": True})
    return f"Deadline Command\n\nResult=Success\nJobID={told['_id']}\nThe job was submitted successfully."


def fields(job: dict) -> dict:
    tasks = ("Completed", "Queued", "Suspended", "Rendering", "Failed", "Pending")
    counts = {f"Job{name}Tasks": job.get(f"{name}Chunks", 0) for name in tasks}
    return {"JobId": job["_id"], "Status": STATES[job["Stat"]], **counts}


def read(name: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in Path(name).read_text().splitlines())


def call(method: str, path: str, body: object = None) -> object:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{os.environ['FAKE_DEADLINE']}/api/{path}", data, method=method)
    with urllib.request.urlopen(request) as told:
        return json.loads(told.read())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
