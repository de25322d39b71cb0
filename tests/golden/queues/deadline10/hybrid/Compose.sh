#!/bin/bash
# sh010 void 1001-1500, Compose: run by the queue manager with the number of a task.
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
0) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1001-1024"}]' ;;
1) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1025-1048"}]' ;;
2) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1049-1072"}]' ;;
3) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1073-1096"}]' ;;
4) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1097-1120"}]' ;;
5) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1121-1143"}]' ;;
6) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1144-1167"}]' ;;
7) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1168-1191"}]' ;;
8) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1192-1215"}]' ;;
9) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1216-1239"}]' ;;
10) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1240-1262"}]' ;;
11) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1263-1286"}]' ;;
12) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1287-1310"}]' ;;
13) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1311-1334"}]' ;;
14) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1335-1358"}]' ;;
15) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1359-1381"}]' ;;
16) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1382-1405"}]' ;;
17) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1406-1429"}]' ;;
18) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1430-1453"}]' ;;
19) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1454-1477"}]' ;;
20) run /opt/void/bin/openjd run /shows/xy/sh010/comp/.void/sh010-0123456789ab/farm/1/template.json --step Compose --extensions TASK_CHUNKING --job-param '{"CondaPackages":"void-server","JobFolder":"/shows/xy/sh010/comp/.void/sh010-0123456789ab","RezPackages":"void_server","Root_object_matte":"/shows/xy/sh010/roto","Root_output":"/shows/xy/sh010/comp","Root_plate":"/shows/xy/sh010/plate"}' --tasks '[{"Frames":"1478-1500"}]' ;;
*) echo "Compose has no task $1." >&2; exit 64 ;;
esac 2>&1 | (trap '' TERM INT; tee -a "${0%.sh}.$1.log"; true)
