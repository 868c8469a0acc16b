# shellcheck shell=bash disable=SC2034  # used by those that source it
# What every part of ./dev and deploy/native shares: words, waits, ports, users and the folder for state.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
SERVER_USER_NAME=warren

if [ -t 1 ] && [ -z "${CI:-}" ] && [ -z "${NO_COLOR:-}" ]; then
  BOLD=$'\e[1m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else
  BOLD='' RED='' GREEN='' PLAIN=''
fi

say() { printf '%s\n' "$*"; }
heading() { printf '\n%s== %s%s\n' "$BOLD" "$*" "$PLAIN"; }
warn() { printf '%s%s%s\n' "$RED" "$*" "$PLAIN" >&2; }
die() { warn "$*"; exit 1; }

# An address of a package source is nobody's business but the machine's: no log of ours holds one.
mask_hosts() {
  sed -E -e 's#([a-z+]+://)[^/ "]+#\1...#g' \
    -e "s#(resolve|connect to|host|index|registry) +['\`\"]?[A-Za-z0-9.-]+\.[A-Za-z0-9.:-]+['\`\"]?#\1 ...#g"
}

# until_ready LIMIT_SECONDS COMMAND...: true as soon as COMMAND is, false after the limit.
until_ready() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.2
  done
}

# A listener on any address counts, as 127.0.0.1 would then be refused or, worse, shadowed. Read from the kernel's table
# because `ss` and `lsof` are not everywhere.
port_taken() {
  local hex
  hex=$(printf '%04X' "$1")
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    awk -v port=":$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 } END { exit !found }'
}

# "pid 12 (redis-server)" for a listening port, or nothing when that cannot be seen (no `ss`, another user's process).
port_holder() {
  command -v ss >/dev/null || return 0
  ss -Hltnp "sport = :$1" 2>/dev/null |
    sed -nE 's/.*users:\(\("([^"]+)",pid=([0-9]+).*/pid \2 (\1)/p' | head -n 1
}

# pid_listens PID PORT: is it this very process that listens?
pid_listens() {
  local inode
  while read -r inode; do
    [ -z "$(find "/proc/$1/fd" -maxdepth 1 -lname "socket:\[$inode\]" -print -quit 2>/dev/null)" ] || return 0
  done < <(awk -v port=":$(printf '%04X' "$2")" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }' \
    /proc/net/tcp /proc/net/tcp6 2>/dev/null)
  return 1
}

is_root() { [ "$(id -u)" = 0 ]; }

# PostgreSQL and MariaDB refuse to run as root, and nothing here needs it. AS is put in front of a command; setpriv and
# env replace themselves, so that a pid stays the server's own.
if is_root; then
  AS=(setpriv "--reuid=$SERVER_USER_NAME" "--regid=$SERVER_USER_NAME" --init-groups --)
else
  AS=()
fi

# Others' permissions decide what the server user can reach; `nobody` has just these, and exists before install ran.
reachable_by_servers() {
  ! is_root || setpriv --reuid=65534 --regid=65534 --clear-groups -- test -x "$1"
}

# Where state is kept: .dev/ in the repository, unless servers could not reach it (a clone under /root), its owner is
# somebody else, or the path of a socket in it would be longer than the kernel allows (107 bytes).
state_dir() {
  local dir=$ROOT/.dev owner=$ROOT hash
  [ ! -e "$dir" ] || owner=$dir
  if [ -O "$owner" ] && [ -w "$owner" ] && [ "${#dir}" -le 70 ] && reachable_by_servers "$ROOT"; then
    printf '%s\n' "$dir"
    return
  fi
  hash=$(printf '%s' "$ROOT" | sha256sum)
  if is_root; then
    printf '/var/lib/warren-%.8s\n' "$hash"
  else
    printf '%s/warren-%.8s\n' "${XDG_STATE_HOME:-$HOME/.local/state}" "$hash"
  fi
}

STATE=$(state_dir)
