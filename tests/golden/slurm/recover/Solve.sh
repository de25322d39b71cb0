#!/bin/bash
# Solve of sh010 recover 1001-1048: each task of the array is one of the commands below.
step=Solve task=$SLURM_ARRAY_TASK_ID
log=$step.$task.log ended=$step.$task.exit
retries=2 parts=0
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

export VOID_OWNER_PID=$$  # what the task starts ends with this, even where it was killed before that began
export PYTHONUNBUFFERED=1
case $task in
0) command=(openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Solve --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Units":"0-3"}]') ;;
1) command=(openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Solve --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Units":"4-7"}]') ;;
2) command=(openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Solve --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Units":"8-11"}]') ;;
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
    [ "$asked" != stopped ] || code=143
fi
again=0
case $asked:$code in
*:0 | stopped:*) ;;
time:*) again=$((retries + parts)) ;;
:69 | :75) again=$retries ;;
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
