#!/usr/bin/env bash
# A Docker engine for the container tests: `engine.sh start` sees to it that one answers, and
# `engine.sh stop` ends the one that this script started, never another.
#
# An engine that answers already is used as it is. Else, as root on a Debian machine, the engine is
# installed from Debian and started. Anywhere else it says what to do and fails. Every wait ends.
set -euo pipefail

readonly STATE=/var/lib/tandem-docker
readonly PID_FILE="$STATE/dockerd.pid"
readonly LOG="$STATE/dockerd.log"
readonly START_SECONDS_MAX=60
readonly STOP_SECONDS_MAX=60
readonly INSTALL_SECONDS_MAX=300
# Of three regions and what is in front of them.
readonly CONTAINERS=13

say() { echo "docker engine: $*"; }

fail() {
  say "$*" >&2
  exit 1
}

answers() { timeout 10 docker info --format '{{.ServerVersion}}' >/dev/null 2>&1; }

# The process that this script started, if it still runs: its number alone may be another's by now.
own_pid() {
  local pid
  pid=$(cat "$PID_FILE" 2>/dev/null) || return 1
  [[ -n "$pid" && "$(cat "/proc/$pid/comm" 2>/dev/null)" == dockerd ]] || return 1
  echo "$pid"
}

install_engine() {
  command -v dockerd >/dev/null && return
  [[ -f /etc/debian_version ]] || fail 'none answers here; start one and come back.'
  say 'installing docker.io from Debian'
  export DEBIAN_FRONTEND=noninteractive
  timeout "$INSTALL_SECONDS_MAX" apt-get -o Acquire::Retries=3 update -qq
  timeout "$INSTALL_SECONDS_MAX" apt-get -o Acquire::Retries=3 install -y -qq \
    --no-install-recommends docker.io iptables >/dev/null
}

# Of the way out. A bridge with larger packets than that loses some of them for good, and an install
# in a container hangs until its time-out.
mtu() {
  local device
  device=$(awk '$2 == "00000000" { print $1; exit }' /proc/net/route)
  cat "/sys/class/net/$device/mtu" 2>/dev/null || echo 1500
}

# The kernel gives all containers together as much of the processor as one process beside them: next to
# nothing on a machine with others at work. From here on each counts as one, where that can be set.
share_processor() {
  local group
  for group in /sys/fs/cgroup/cpu/docker /sys/fs/cgroup/docker; do
    [[ -e "${group%/docker}/cgroup.procs" ]] && mkdir -p "$group" 2>/dev/null || continue
    if [[ -w "$group/cpu.shares" ]]; then echo $((CONTAINERS * 1024)) >"$group/cpu.shares"; fi
    if [[ -w "$group/cpu.weight" ]]; then echo $((CONTAINERS * 100)) >"$group/cpu.weight"; fi
  done
}

# Published ports are on loopback only, unless someone asks otherwise for one.
start_engine() {
  mkdir -p "$STATE"
  say "starting dockerd, its log is $LOG"
  setsid nohup dockerd --ip 127.0.0.1 --mtu "$(mtu)" --pidfile "$PID_FILE" >"$LOG" 2>&1 </dev/null &
  for ((waited = 0; waited < START_SECONDS_MAX; waited += 1)); do
    answers && return
    sleep 1
  done
  tail -n 20 "$LOG" >&2
  fail "dockerd does not answer after $START_SECONDS_MAX s; its last lines are above."
}

start() {
  if ! answers; then
    [[ $EUID -eq 0 ]] || fail 'none answers, and starting one needs root: start Docker yourself.'
    install_engine
    start_engine
    share_processor
  fi
  say "$(docker info --format '{{.ServerVersion}} answers, storage driver {{.Driver}}')"
}

stop() {
  local pid
  if ! pid=$(own_pid); then
    say 'nothing of this script runs'
    return
  fi
  kill -TERM "$pid"
  for ((waited = 0; waited < STOP_SECONDS_MAX; waited += 1)); do
    if ! own_pid >/dev/null; then
      say "dockerd $pid has stopped"
      return
    fi
    sleep 1
  done
  fail "dockerd $pid does not stop after $STOP_SECONDS_MAX s; see $LOG."
}

case "${1:-}" in
  start) start ;;
  stop) stop ;;
  *) fail 'usage: engine.sh start|stop' ;;
esac
