# shellcheck shell=bash disable=SC2154
# S3: MinIO where it is on PATH and data is to last, else moto, which keeps all in memory and forgets it when it stops.

need_installed() {
  minio=$(command -v minio || true)
  [ "$SERVER_DURABLE" = 1 ] && "${AS[@]}" test -x "$minio" || minio=''
  moto=$STATE/servers-venv/bin/moto_server
  [ -n "$minio" ] || [ -e "$STATE/servers-venv/version" ] || fail "neither MinIO nor moto is installed; './dev install' does it"
}

prepare() { "${AS[@]}" mkdir -p data; }

start() {
  if [ -n "$minio" ]; then
    # Its console is on the same port of the second loopback address.
    clean_env+=("MINIO_ROOT_USER=$SERVER_USER" "MINIO_ROOT_PASSWORD=$SERVER_PASSWORD" MINIO_UPDATE=off)
    become "$minio" server --quiet --address "127.0.0.1:$SERVER_PORT" --console-address "127.0.0.2:$SERVER_PORT" data
  fi
  # It writes a line for each request.
  exec >/dev/null
  become "$moto" -H 127.0.0.1 -p "$SERVER_PORT"
}
