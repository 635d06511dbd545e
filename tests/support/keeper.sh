#!/bin/sh
# Keeps one server for the tests: keeper.sh FOLDER NAME FIRST PROGRAM ARGUMENT...
#
# Starts PROGRAM with its output in FOLDER/NAME.log, and stops it when standard input ends. The
# tests hold the other end of that pipe, so a server never outlives them, however they end.
# A server named FIRST ("-" for none) in the same folder is given the time to stop before this one.
# Afterwards whatever the server left running or mounted under FOLDER/NAME/ is cleared away, and the
# folder removed, unless a failing test asked with FOLDER/failed to keep the logs.
set -u
folder=$1 name=$2 first=$3
shift 3

exec 3<&0
"$@" </dev/null 3<&- >"$folder/$name.log" 2>&1 &
server=$!
echo "$server" >"$folder/$name.pid"

# gone FILE: waits at most a minute for FILE.
gone() {
  turns=0
  while [ ! -e "$1" ] && [ "$turns" -lt 300 ]; do sleep 0.2; turns=$((turns + 1)); done
}

(
  cat <&3 >/dev/null
  exec 3<&-
  if [ -e "$folder/$first.pid" ]; then gone "$folder/$first.exit"; fi
  kill -TERM "$server" 2>/dev/null
  gone "$folder/$name.exit"
  [ -e "$folder/$name.exit" ] || kill -KILL "$server" 2>/dev/null
) &
watcher=$!
exec 3<&-
wait "$server"
status=$?

# Only what names this server's own data folder, in its environment, arguments or working folder.
leftovers() {
  for process in /proc/[0-9]*; do
    pid=${process#/proc/}
    [ "$pid" != "$$" ] || continue
    case "$(readlink "$process/cwd" 2>/dev/null)/" in
      "$folder/$name/"*) echo "$pid"; continue ;;
    esac
    grep -qsF "$folder/$name/" "$process/environ" "$process/cmdline" && echo "$pid"
  done
}
pids=$(leftovers)
# shellcheck disable=SC2086 # one process id a word
[ -z "$pids" ] || kill -KILL $pids 2>/dev/null
if [ -r /proc/mounts ]; then
  cut -d' ' -f2 /proc/mounts | grep -F "$folder/$name/" | sort -r | while read -r mount; do
    umount -l "$mount" 2>/dev/null
  done
fi
rm -rf "${folder:?}/$name"

echo "$status" >"$folder/$name.exit"
wait "$watcher"
# Whichever keeper ends last takes the folder with it.
for pid in "$folder"/*.pid; do
  [ -e "${pid%.pid}.exit" ] || exit "$status"
done
[ -e "$folder/failed" ] || rm -rf "$folder"
exit "$status"
