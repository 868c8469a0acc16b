# shellcheck shell=bash disable=SC2154
# PostgreSQL, of the version that made the data, else the newest installed (they are not on PATH on Debian).

need_installed() {
  local version='*' newest=''
  [ ! -s "$SERVER_DATA/data/PG_VERSION" ] || version=$(cat "$SERVER_DATA/data/PG_VERSION")
  # shellcheck disable=SC2086
  newest=$(printf '%s\n' /usr/lib/postgresql/$version/bin/postgres | sort -V | tail -n 1)
  [ -x "$newest" ] || fail "PostgreSQL ($newest) is not installed; './dev install' does it"
  postgres_bin=$(dirname "$newest")
}

# The cluster is made beside its place and renamed when it is whole: an interrupted one is thrown away at the next start.
prepare() {
  [ ! -d data ] || return 0
  local sync=(--sync-only) log
  [ "$SERVER_DURABLE" != 0 ] || sync=()
  rm -rf data.new
  printf '%s\n' "${SERVER_PASSWORD:-$SERVER_USER}" | private_file password
  log=$(run "$postgres_bin/initdb" -D data.new -U "$SERVER_USER" --pwfile=password -A scram-sha-256 -E UTF8 \
    --locale=C.UTF-8 --no-sync 2>&1) || fail "initdb failed: $log"
  rm -f password
  if [ "$SERVER_DATABASE" != postgres ]; then
    # No server is up yet, and so nobody can connect before all is there.
    log=$(printf 'CREATE DATABASE "%s"\n' "$SERVER_DATABASE" |
      run "$postgres_bin/postgres" --single -D data.new -c fsync=off postgres 2>&1) || fail "making the database failed: $log"
    case $log in *ERROR:* | *FATAL:*) fail "making the database failed: $log" ;; esac
  fi
  [ "${#sync[@]}" = 0 ] || run "$postgres_bin/initdb" -D data.new "${sync[@]}" >/dev/null
  mv -T data.new data
  [ "${#sync[@]}" = 0 ] || sync .
}

start() {
  local options=(-c "listen_addresses=127.0.0.1" -c "port=$SERVER_PORT" -c "unix_socket_directories="
    -c max_connections=400 -c shared_buffers=128MB -c log_min_messages=warning -c timezone=UTC -c log_timezone=UTC)
  [ "$SERVER_DURABLE" != 0 ] || options+=(-c fsync=off -c synchronous_commit=off -c full_page_writes=off)
  # We hold the folder's lock, as do all processes of the server before, so a pid file is a dead one's. PostgreSQL itself would
  # refuse for as long as the dead one's parent has not collected it.
  rm -f data/postmaster.pid
  become "$postgres_bin/postgres" -D "$SERVER_DATA/data" "${options[@]}"
}
