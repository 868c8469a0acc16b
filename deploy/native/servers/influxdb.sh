# shellcheck shell=bash
# InfluxDB 1, without passwords. What it answered is on disk, always: it has no switch for less.

need_installed() {
  command -v influxd >/dev/null || fail "InfluxDB is not installed; './dev install' does it"
}

prepare() {
  "${AS[@]}" mkdir -p data
  {
    printf 'reporting-disabled = true\n'
    # For backups; the same port, on the second loopback address.
    printf 'bind-address = "127.0.0.2:%s"\n' "$SERVER_PORT"
    printf '[meta]\ndir = "%s/data/meta"\n' "$SERVER_DATA"
    printf '[data]\ndir = "%s/data/data"\nwal-dir = "%s/data/wal"\nwal-fsync-delay = "0s"\nquery-log-enabled = false\n' \
      "$SERVER_DATA" "$SERVER_DATA"
    printf 'cache-max-memory-size = "128m"\n[monitor]\nstore-enabled = false\n[logging]\nlevel = "warn"\n'
    printf '[http]\nbind-address = "127.0.0.1:%s"\nlog-enabled = false\n' "$SERVER_PORT"
  } | private_file influxdb.conf
}

start() { become influxd -config "$SERVER_DATA/influxdb.conf"; }
