# shellcheck shell=bash
# Keeps the servers and programs of one set running, by a supervisord of its own in the set's folder.

supervisor_conf() { say "$SET_DIR/supervisor.conf"; }
control() { supervisorctl -c "$(supervisor_conf)" "$@"; }

# The pid counts only if it is really this set's supervisord: pids are used again, and pid files stay behind.
supervisor_pid() {
  local pid
  pid=$(cat "$SET_DIR/supervisor.pid" 2>/dev/null) || return 1
  tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF "$(supervisor_conf)" || return 1
  say "$pid"
}

# In supervisor's files % is special everywhere, and quotes end a value.
conf_text() { printf '"%s"' "${1//%/%%}"; }

write_supervisor_conf() {
  local user=''
  ! is_root || user='user=root'
  mkdir -p "$SET_DIR/log" "$SET_DIR/data"
  (umask 077 && mkdir -p "$SET_DIR/conf.d")   # passwords are in there
  cat >"$(supervisor_conf)" <<CONF
[unix_http_server]
file=${SET_DIR//%/%%}/supervisor.sock
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://${SET_DIR//%/%%}/supervisor.sock

[supervisord]
logfile=${SET_DIR//%/%%}/log/supervisor.log
pidfile=${SET_DIR//%/%%}/supervisor.pid
childlogdir=${SET_DIR//%/%%}/log
logfile_maxbytes=1MB
logfile_backups=1
loglevel=warn
minfds=1024
$user

; relative, as paths with spaces would be taken for several
[include]
files=conf.d/*.conf
CONF
}

# program_conf NAME COMMAND STOP_SIGNAL STOP_SECONDS PRIORITY [VARIABLE=VALUE...]
# The lower the priority, the earlier it is started and the later it is stopped.
program_conf() {
  local name=$1 command=$2 signal=$3 seconds=$4 priority=$5 variable environment=''
  shift 5
  for variable in "$@"; do
    environment+=${environment:+,}${variable%%=*}=$(conf_text "${variable#*=}")
  done
  # Retries go on for minutes with growing waits; ./dev up itself says early and clearly what does not start.
  cat <<CONF
[program:$name]
command=$(conf_text "$ROOT/deploy/native/$command") $name
environment=$environment
priority=$priority
autorestart=true
startsecs=1
startretries=20
stopsignal=$signal
stopwaitsecs=$seconds
killasgroup=true
redirect_stderr=true
stdout_logfile=${SET_DIR//%/%%}/log/$name.log
stdout_logfile_maxbytes=5MB
stdout_logfile_backups=1

CONF
}

write_servers_conf() {
  local name variables
  for name in "${SERVERS[@]}"; do
    variables=("SERVER_DATA=$SET_DIR/data/$name" "SERVER_PORT=${PORT[$name]}" "SERVER_DURABLE=$DURABLE"
      "SERVER_USER=${USER_OF[$name]-}" "SERVER_PASSWORD=${PASSWORD_OF[$name]-}" "SERVER_DATABASE=${DATABASE_OF[$name]-}")
    [ "$name" != rabbitmq ] ||
      variables+=("SERVER_HTTP_PORT=${PORT[management]}" "SERVER_METRICS_PORT=${PORT[metrics]}")
    program_conf "$name" server "$(stop_signal "$name")" 40 999 "${variables[@]}"
  done >"$SET_DIR/conf.d/servers.conf.new"
  mv "$SET_DIR/conf.d/servers.conf.new" "$SET_DIR/conf.d/servers.conf"
}

# Starts supervisord, or has a running one take up what changed in its files.
apply_conf() {
  if supervisor_pid >/dev/null; then
    control update 2>&1 | grep -vE ': (stopped|updated process group|added process group|removed process group)$' || true
    return
  fi
  stop_orphans
  rm -f "$SET_DIR/supervisor.sock"
  # A clean environment, so that what a server gets does not depend on who starts the set. No lock of ours goes along.
  (cd / && umask 022 && env -i "PATH=$PATH" "HOME=$HOME" "XDG_STATE_HOME=${XDG_STATE_HOME:-$HOME/.local/state}" LC_ALL=C.UTF-8 \
    supervisord -c "$(supervisor_conf)" 8>&- </dev/null) || die "supervisord did not start; see $SET_DIR/log/supervisor.log"
  until_ready 15 control pid || die "supervisord does not answer; see $SET_DIR/log/supervisor.log"
}

# states: "NAME STATE PID" lines.
states() {
  supervisor_pid >/dev/null || return 0
  control status 2>/dev/null | awk '{ pid = "-"; if ($3 == "pid") { pid = $4; sub(",", "", pid) } print $1, $2, pid }'
}

# holder_of FOLDER: the process that runs on it, by the lock it holds open there. That is sure, unlike a pid alone.
holder_of() {
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) || return 1
  [ "/proc/$pid/fd/9" -ef "$1/lock" ] || return 1
  say "$pid"
}

# A supervisord that was killed leaves its children running, unsupervised and on our ports.
stop_orphans() {
  local folder name
  for folder in "$SET_DIR"/data/*/; do
    name=$(basename "$folder")
    signal_holder "${folder%/}" "$(stop_signal "$name")"
  done
  for folder in "$SET_DIR"/data/*/; do
    until_ready 40 not holder_of "${folder%/}" || signal_holder "${folder%/}" KILL
  done
}

signal_holder() {
  local pid
  pid=$(holder_of "$1") || return 0
  kill "-$2" "$pid" 2>/dev/null || true
}

# PostgreSQL's TERM waits until every client has left.
stop_signal() { if [ "$1" = postgres ]; then say INT; else say TERM; fi; }

not() { ! "$@"; }

stop_set() {
  local pid
  if pid=$(supervisor_pid); then
    kill -TERM "$pid"   # It stops its children and waits for them; a call over the socket does the same, later.
    until_ready 90 not supervisor_pid || die "supervisord (pid $pid) has not ended in 90 s; see $SET_DIR/log"
  fi
  stop_orphans
  rm -f "$SET_DIR/supervisor.sock" "$SET_DIR/supervisor.pid"
  # Refused, and rightly, while any node on this machine is registered.
  ! command -v epmd >/dev/null || ERL_EPMD_PORT=${SERVER_EPMD_PORT:-24369} epmd -kill >/dev/null 2>&1 || true
}

# Every port of the set must be free or held by the very process that is to have it.
check_ports() {
  local name owner pid problem=0 table
  table=$(states)
  for name in "$@"; do
    owner=$name
    case $name in
      management | metrics) owner=rabbitmq ;;
      *-grpc) owner=${name%-grpc} ;;
    esac
    port_taken "${PORT[$name]}" || continue
    pid=$(awk -v name="$owner" '$1 == name { print $3 }' <<<"$table")
    [[ $pid =~ ^[0-9]+$ ]] || pid=$(holder_of "$SET_DIR/data/$owner") || pid=''
    if [ -z "$pid" ] || ! pid_listens "$pid" "${PORT[$name]}"; then
      say_taken "$name"
      problem=1
    fi
  done
  [ "$problem" = 0 ] || die "Nothing was started."
}

say_taken() {
  warn "Port ${PORT[$1]} is taken by another program $(port_holder "${PORT[$1]}")"
  warn "  It is for $1. Stop that program, or set another port: ${PORT_VARIABLE[$1]}=... $(where_to_set)"
}

where_to_set() { if [ "$SET" = main ]; then say "in .env"; else say "in the environment"; fi; }

tail_of_log() {
  [ -s "$SET_DIR/log/$1.log" ] || { warn "  (its log is empty)"; return; }
  warn "  the end of $SET_DIR/log/$1.log:"
  tail -n "${2:-20}" "$SET_DIR/log/$1.log" | sed 's/^/  | /' >&2
}

# wait_for NAME LIMIT COMMAND...: until the command is true. Ends early, with the log's end, for what keeps ending.
wait_for() {
  local name=$1 limit=$2 end failures=0 state pid last='' turn=0
  shift 2
  end=$((SECONDS + limit))
  until "$@" >/dev/null 2>&1; do
    turn=$((turn + 1))
    if [ $((turn % 5)) = 0 ]; then   # asking the supervisor takes longer than asking a server
      read -r state pid < <(states | awk -v name="$name" '$1 == name { print $2, $3 }') || state=GONE
      case $state in
        RUNNING | STARTING | STOPPING) [ "${last:-$pid}" = "$pid" ] || failures=$((failures + 1)) ;;
        *) failures=$((failures + 1)) ;;
      esac
      last=$pid
    fi
    if [ "$failures" -ge 3 ]; then
      warn "$name does not start:"
      tail_of_log "$name"
      return 1
    elif [ "$SECONDS" -ge "$end" ]; then
      warn "$name is running, but not ready after $limit s:"
      tail_of_log "$name"
      return 1
    fi
    sleep 0.2
  done
  say "  $name is ready"
}
