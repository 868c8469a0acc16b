# shellcheck shell=bash
# ./dev up, servers, down, status and logs, on this machine itself.

native_is_up() { [ -e "$SET_DIR/conf.d/servers.conf" ]; }

# Whatever the supervisor gave up on gets another chance.
revive() {
  local name
  while read -r name; do
    control start "$name" >/dev/null || true
  done < <(states | awk '$2 ~ /^(FATAL|EXITED|STOPPED)$/ { print $1 }')
}

start_servers() {
  write_supervisor_conf
  write_servers_conf
  apply_conf
  revive
}

up_native() {
  use_main_set
  check_ports "${!PORT[@]}"
  install_servers
  say "Starting ${SERVERS[*]}; their data is in $SET_DIR/data"
  start_servers
  build_programs          # while the servers come up
  wait_for_servers || die "The rest keeps running; './dev down' stops it."
  say "Starting ${PROGRAMS[*]}"
  start_programs
  print_addresses
  first_request
}

# For `cargo run`: programs of ours would be in its way.
servers_only() {
  use_main_set
  check_ports "${SERVERS[@]}" management metrics
  install_servers
  rm -f "$SET_DIR/conf.d/programs.conf"
  say "Starting ${SERVERS[*]}; their data is in $SET_DIR/data"
  start_servers
  wait_for_servers || die "The rest keeps running; './dev down' stops it."
  print_addresses
  say
  say "For programs run by hand:"
  server_urls | quoted_exports
}

quoted_exports() { sed -E "s/^([^=]*)=(.*)$/export \1='\2'/"; }

down_native() {
  use_main_set
  say "Stopping what ./dev up started"
  stop_set
  rm -rf "$SET_DIR/conf.d"
  if [ "$1" = volumes ]; then
    rm -rf "$SET_DIR"
    say "Stopped, and its data deleted."
  elif [ -d "$SET_DIR/data" ]; then
    say "Stopped. Its data stays, in $SET_DIR/data; './dev down --volumes' deletes it."
  else
    say "Nothing was running."
  fi
}

address_of() {
  case $1 in
    postgres | mariadb | mongo | redis)
      local -A variable=([postgres]=DATABASE_URL [mariadb]=MYSQL_URL [mongo]=MONGODB_URL [redis]=REDIS_URL)
      server_urls | sed -n "s/^${variable[$1]}=//p"
      ;;
    rabbitmq) server_urls | sed -n 's/^AMQP_URL=//p' ;;
    search | influxdb) say "http://127.0.0.1:${PORT[$1]}" ;;
    kafka) say "127.0.0.1:${PORT[kafka]}" ;;
    s3) say "http://127.0.0.1:${PORT[s3]}  (${USER_OF[s3]} / ${PASSWORD_OF[s3]}$(forgets_images))" ;;
    mail) say "smtp://127.0.0.1:${PORT[mail]}  (mails are kept in $SET_DIR/data/mail/mails)" ;;
    management) say "http://127.0.0.1:${PORT[management]}  (${USER_OF[rabbitmq]} / ${PASSWORD_OF[rabbitmq]})" ;;
    *) say "http://127.0.0.1:${PORT[$1]}/api-docs${PORT[$1-grpc]:+  (gRPC: 127.0.0.1:${PORT[$1-grpc]})}" ;;
  esac
}

# The same choice as in servers/s3.sh.
forgets_images() { [ "$DURABLE" = 1 ] && command -v minio >/dev/null || printf '; in memory, as there is no minio here'; }

managed() { states | awk '{ print $1 }'; }

print_addresses() {
  local name
  say
  for name in "${PROGRAMS[@]}" "${SERVERS[@]}"; do
    managed | grep -qx "$name" || continue
    printf '  %s%-11s%s %s\n' "$BOLD" "$name" "$PLAIN" "$(address_of "$name")"
    [ "$name" != rabbitmq ] || printf '  %-11s %s\n' management "$(address_of management)"
  done
}

first_request() {
  say
  say "Try it:"
  say "  curl -i http://127.0.0.1:${PORT[gateway]}/auth/register -H 'Prefer: wait=5' -H 'Content-Type: application/json' \\"
  say "    -d '{\"name\": \"Ada Lovelace\", \"email\": \"ada@example.com\", \"password\": \"correct horse battery\"}'"
  say "  curl http://127.0.0.1:${PORT[gateway]}/auth/login -H 'Content-Type: application/json' \\"
  say "    -d '{\"email\": \"ada@example.com\", \"password\": \"correct horse battery\"}'"
  say "  curl http://127.0.0.1:${PORT[gateway]}/auth/me -H 'Authorization: Bearer <the access_token of that answer>'"
  say "  curl http://127.0.0.1:${PORT[registry]}/services"
  say "  ./dev warren seed && curl http://127.0.0.1:${PORT[gateway]}/api/products"
}

# The command line, as `./dev up` built it, for what `./dev up` runs.
warren_native() {
  local program
  use_main_set
  program=$(built_program warren)
  [ -x "$program" ] || build_programs >&2
  cd "$ROOT" || return   # for its .env
  local servers
  mapfile -t servers < <(server_urls)
  exec env "${servers[@]}" "WARREN_URL=http://127.0.0.1:${PORT[gateway]}" \
    "REGISTRY_URL=http://127.0.0.1:${PORT[registry]}" "SERVICE_URLS=$(urls)" "$program" "$@"
}

# status_rows: one per thing that should run; false if any of them does not.
status_rows() {
  local name state pid table good=0 row='  %-11s %-10s %-8s %-6s %s\n'
  table=$(states)
  # shellcheck disable=SC2059
  printf "$BOLD$row$PLAIN" name state pid port address
  for name in "${SERVERS[@]}" "${PROGRAMS[@]}"; do
    grep -qs "^\[program:$name\]" "$SET_DIR"/conf.d/*.conf || continue
    read -r state pid < <(awk -v name="$name" '$1 == name { print tolower($2), $3 }' <<<"$table") || state=stopped pid=-
    if [ "$state" = running ] && ! is_ready "$name" >/dev/null 2>&1; then state='not ready'; fi
    [ "$state" = running ] || good=1
    # shellcheck disable=SC2059
    printf "$row" "$name" "$state" "$pid" "${PORT[$name]}" "$(address_of "$name")"
  done
  return "$good"
}

is_ready() {
  if declare -F "ready_$1" >/dev/null; then "ready_$1"; else ready_program "$1"; fi
}

status_native() {
  local good=0
  use_main_set
  if native_is_up; then
    status_rows || good=1
  else
    say "Nothing of ./dev up is running here."
  fi
  use_test_set
  if native_is_up; then
    say
    say "Servers for tests:"
    status_rows || good=1
  fi
  return "$good"
}

# logs_native [NAME] [-f]
logs_native() {
  local follow='' name='' argument files
  use_main_set
  for argument in "$@"; do
    case $argument in
      -f | --follow) follow=yes ;;
      -*) die "./dev logs [NAME] [-f]" ;;
      *) name=$argument ;;
    esac
  done
  compgen -G "$SET_DIR/log/*.log" >/dev/null || die "There are no logs yet: nothing was started."
  if [ -n "$name" ]; then
    [ -e "$SET_DIR/log/$name.log" ] || die "No log of '$name'; there are: $(cd "$SET_DIR/log" && printf '%s ' *.log | sed 's/\.log//g')"
    files=("$SET_DIR/log/$name.log")
  else
    files=("$SET_DIR"/log/*.log)
  fi
  if [ -n "$follow" ]; then exec tail -n 20 -F "${files[@]}"; fi
  if [ -n "$name" ]; then tail -n 200 "${files[@]}"; else tail -n 20 "${files[@]}"; fi
}
