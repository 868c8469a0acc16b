# shellcheck shell=bash
# MongoDB: `mongod` where it is on PATH; else SecantusDB, which speaks its protocol (Debian has no mongod). No passwords.

need_installed() {
  mongod=$(command -v mongod || true)
  secantus=$STATE/mongo-venv/bin/secantusd-py
  [ -n "$mongod" ] || [ -x "$secantus" ] || fail "neither mongod nor SecantusDB is installed; './dev install' does it"
}

prepare() {
  "${AS[@]}" mkdir -p data
  fast_disk
}

start() {
  if [ -n "$mongod" ]; then
    # Its cache would otherwise be half of the machine's memory. Journaling is on, as `j: true` writes need.
    become "$mongod" --dbpath "$SERVER_DATA/data" --bind_ip 127.0.0.1 --port "$SERVER_PORT" --nounixsocket --quiet \
      --wiredTigerCacheSizeGB 0.25
  fi
  local options=(--host 127.0.0.1 --port "$SERVER_PORT" --storage-path "$SERVER_DATA/data" --cache-size 128M)
  # Without it kill -9 loses acknowledged writes, whatever a client's write concern says.
  [ "$SERVER_DURABLE" = 0 ] || options+=(--sync-on-commit)
  become "$secantus" "${options[@]}"
}
