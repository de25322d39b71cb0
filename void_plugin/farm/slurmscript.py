"""A step of a bundle in Slurm's words: the batch script of its array, and the options that sbatch gets.

Slurm has no sessions, so each task of the array is one `openjd run`, which warms up, works and cools down. The script
passes signals on to it, and asks Slurm to run the task again where that can help: Slurm's own RequeueExit would end
all that waits for the task first.
"""

from __future__ import annotations

import math
import re
import shlex

from void_plugin.farm.bundle import Bundle, Step, task_command
from void_plugin.farm.jobs import Options
from void_plugin.farm.site import Site
from void_plugin.farm.slurmsite import SlurmSite
from void_plugin.farm.taskscript import AWAIT, OWNER

FOLDER = "slurm"
"""Where scripts, logs and how tasks ended lie below a bundle's folder."""
NOTICE_SECONDS = 300
"""So long before its time is up a task is told: it may take its grace, and Slurm has to be asked to run it again."""
NICE_STEP = 100
"""What one step of our priority is on Slurm's scale."""
STOPPED = 143
"""Exit code of a task that was stopped."""
RETRIED = (69, 75)
"""Exit codes of `void-server task` after which another try, elsewhere or later, can succeed."""


def log_name(step: str, index: int) -> str:
    """File that a task writes, all its tries one after the other."""
    return f"{step}.{index}.log"


def exit_name(step: str, index: int) -> str:
    """File that holds the exit code of a task once it has ended for good."""
    return f"{step}.{index}.exit"


def minutes(step: Step, table: SlurmSite) -> int:
    """How long a task may take at most."""
    wanted = math.ceil((step.timeout + NOTICE_SECONDS) / 60)
    return min(wanted, table.time_limit) if table.time_limit else wanted


def sbatch_options(bundle: Bundle, site: Site, table: SlurmSite, step: Step, options: Options) -> list[str]:
    """What sbatch is told of a step, save what it waits for and its script.

    What matters is said here, where it wins over $SBATCH_… of the user and over the cluster's defaults.
    Raises FarmError where no GPU has the memory.
    """
    throttle = f"%{table.at_once}" if table.at_once else ""
    # Where some steps have GPUs, tags are for them: other nodes will hardly have the same features.
    is_tagged = step.needs.gpus or not any(other.needs.gpus for other in bundle.steps)
    found = [
        f"--job-name={bundle.name} {step.name}",
        f"--array=0-{len(step.tasks) - 1}{throttle}",
        f"--chdir={site.there(bundle.folder)}/{FOLDER}",
        f"--output={step.name}.%a.log",
        "--open-mode=append",
        f"--time={minutes(step, table)}",
        f"--signal=B:USR1@{NOTICE_SECONDS}",
        "--export=ALL",
        # After the loss of a node; a task that fails asks for it itself.
        "--requeue",
        # Without it, what waits for a task that has failed waits for ever.
        "--kill-on-invalid-dep=yes",
        *table.place(step.needs, options.tags if is_tagged else ()),
    ]
    qos = table.urgent_qos if options.priority > 50 and table.urgent_qos else table.qos
    for name, value in (("account", table.account), ("qos", qos)):
        if value:
            found.append(f"--{name}={value}")
    if options.priority < 50:
        found.append(f"--nice={(50 - options.priority) * NICE_STEP}")
    return [*found, *table.options]


def batch_script(bundle: Bundle, site: Site, table: SlurmSite, step: Step, options: Options) -> str:
    """The script that each task of a step's array runs, in its folder."""
    tasks = [
        f"{index}) command=({shlex.join(task_command(bundle, site, step.name, [values]))}) ;;"
        for index, values in enumerate(step.tasks)
    ]
    # A task that asks for less time than it may need goes on as often as that takes.
    parts = math.ceil((step.timeout + NOTICE_SECONDS) / 60 / minutes(step, table))
    words = {
        "title": " ".join(f"{step.name} of {bundle.name}".split()),
        "step": shlex.quote(step.name),
        "retries": str(options.retries),
        "parts": str(parts - 1),
        "retried": " | ".join(f":{code}" for code in RETRIED),
        "stopped": str(STOPPED),
        "owner": OWNER,
        "await": AWAIT,
        "setup": "".join(f"{line}\n" for line in table.setup),
        "tasks": "\n".join(tasks),
    }
    return re.sub("@([a-z]+)@", lambda match: words[match[1]], _SCRIPT)


_SCRIPT = r"""#!/bin/bash
# @title@: each task of the array is one of the commands below.
step=@step@ task=$SLURM_ARRAY_TASK_ID
log=$step.$task.log ended=$step.$task.exit
retries=@retries@ parts=@parts@
rm -f "$ended"

# Its user ends the task, or its time does: openjd has it stop, and cools down. Told twice it can hang, so we pass on
# nothing where Slurm has told all processes: then the canary is gone.
asked= since= child= passed_on=
stop() {
    trap 'asked=stopped' TERM
    trap '' USR1
    asked=$1 since=$SECONDS
    sleep 1
    pass_on
}
pass_on() {
    [ -n "$asked" ] && [ -n "$child" ] && [ -z "$passed_on" ] && kill -0 "$canary" 2>/dev/null || return
    passed_on=yes
    kill -TERM "$child" 2>/dev/null
}
@await@
trap 'stop stopped' TERM
trap 'stop time' USR1
sleep infinity &
canary=$!
disown
trap 'kill "$canary" 2>/dev/null; rm -rf "$sessions"' EXIT

fail() {
    echo "openjd_fail: $1"
    echo "$2" >"$ended"
    exit "$2"
}

# A folder of our own for sessions: OpenJD's belongs to whoever came first. What killed tasks left here goes.
[ -w "$TMPDIR" ] || TMPDIR=/tmp
base=$TMPDIR/void-slurm-$UID
mkdir -p -m 700 "$base"
[ -O "$base" ] || fail "The folder $base on $HOSTNAME cannot be made or belongs to somebody else; remove it." 65
exec 8>"$base/lock"
flock 8
for old in "$base"/*/; do
    if [ -e "$old/lock" ]; then flock -n "$old/lock" rm -rf "$old"; else rm -rf "$old"; fi
done
sessions=$base/$SLURM_JOB_ID
mkdir -p "$sessions"
exec 9>"$sessions/lock"
flock 9
exec 8>&-
export TMPDIR=$sessions

@owner@
export PYTHONUNBUFFERED=1
@setup@case $task in
@tasks@
*) fail "This job has no task $task." 65 ;;
esac

command -v "${command[0]}" >/dev/null ||
    fail "The worker $SLURMD_NODENAME has no program ${command[0]}; install it, or name it in the site file." 69
begun=$(stat -c %s "$log")
"${command[@]}" 9>&- &
child=$!
pass_on
await

# openjd ends with 1 whatever happened; the log has the code.
if [ "$code" != 0 ]; then
    said=$(tail -c "+$((begun + 1))" "$log" | grep -oE 'exited with code: -?[1-9][0-9]*' | head -n 1)
    code=${said##* } code=${code:-1}
    [ "$code" -ge 0 ] || code=$((128 - code))
    [ "$asked" != stopped ] || code=@stopped@
fi
again=0
case $asked:$code in
*:0 | stopped:*) ;;
time:*) again=$((retries + parts)) ;;
@retried@) again=$retries ;;
esac
if [ "${SLURM_RESTART_COUNT:-0}" -lt "$again" ]; then
    echo "$step $task ended with exit code $code and asks to be run again."
    if scontrol requeue "${SLURM_ARRAY_JOB_ID}_$task"; then
        sleep 3600
        exit "$code"
    fi
fi
echo "$code" >"$ended"
exit "$code"
"""
