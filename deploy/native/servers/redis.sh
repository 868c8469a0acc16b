# shellcheck shell=bash
# Redis. Debian's default keeps no append-only file; durable here means that every write is synced before it is answered.

need_installed() {
  command -v redis-server >/dev/null || fail "Redis is not installed; './dev install' does it"
}

prepare() {
  local durable='appendonly yes
appendfsync always'
  [ "$SERVER_DURABLE" != 0 ] || durable='appendonly no'
  "${AS[@]}" mkdir -p data
  # A file, not arguments: these would show the password to everybody who lists processes. Tests take a numbered database
  # each, hence more than the usual 16.
  {
    printf 'bind 127.0.0.1\nport %s\ndir "%s"\n' "$SERVER_PORT" "$SERVER_DATA/data"
    printf '%s\nsave ""\ndatabases 1024\nmaxmemory 256mb\nmaxmemory-policy noeviction\nloglevel warning\n' "$durable"
    [ -z "$SERVER_PASSWORD" ] || printf 'requirepass %s\n' "$(quoted "$SERVER_PASSWORD")"
  } | private_file redis.conf
}

quoted() {
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

start() { become redis-server "$SERVER_DATA/redis.conf"; }
