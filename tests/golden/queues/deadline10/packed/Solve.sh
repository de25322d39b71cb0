#!/bin/bash
# sh010 void 1001-1500, Solve: run by the queue manager with the number of a task.
set -o pipefail
trap : TERM  # the task is told too, and is to end first
export VOID_OWNER_PID=$$  # what the task starts ends with this, even where it was killed before that began
# Told to stop between two actions, openjd goes on or waits for ever: it has some time to end.
await() {
    while kill -0 "$child" 2>/dev/null; do
        if [ -z "$since" ]; then
            wait "$child"
            code=$?
        elif [ $((SECONDS - since)) -lt 240 ]; then
            sleep 1
        else
            kill -KILL "$child"
            break
        fi
    done
    if [ -n "$since" ]; then
        wait "$child"
        code=$?
    fi
}
run() {
    command -v "$1" >/dev/null || {
        echo "openjd_fail: The worker $HOSTNAME has no program $1; install it, or name it in the site file."
        return 69
    }
    since=
    trap 'since=${since:-$SECONDS}' TERM
    "$@" &
    child=$!
    await
    return "$code"
}
case "$1" in
0) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Solve --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Units":"125-127"}]' ;;
*) echo "Solve has no task $1." >&2; exit 64 ;;
esac 2>&1 | (trap '' TERM INT; tee -a "${0%.sh}.$1.log"; true)
