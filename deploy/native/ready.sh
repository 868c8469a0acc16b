# shellcheck shell=bash
# Is a server of the set ready? Asked of the server itself, by its own protocol.

ready_postgres() {
  local tools
  tools=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  "$tools/pg_isready" -q -t 1 -h 127.0.0.1 -p "${PORT[postgres]}"
}

ready_mariadb() {
  MYSQL_PWD=${PASSWORD_OF[mariadb]} mariadb-admin --no-defaults --connect-timeout=1 -h 127.0.0.1 -P "${PORT[mariadb]}" \
    -u "${USER_OF[mariadb]}" ping
}

ready_redis() { [ "$(redis-cli -h 127.0.0.1 -p "${PORT[redis]}" ping 2>/dev/null)" = PONG ]; }

# A MongoDB `ping` written out (OP_MSG with {ping: 1, $db: "admin"}), as there need not be a client here.
ready_mongo() {
  local answer
  exec 7<>"/dev/tcp/127.0.0.1/${PORT[mongo]}" || return 1
  # shellcheck disable=SC2016
  printf '\x33\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\x1e\0\0\0\x10ping\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0' >&7
  answer=$(timeout 2 head -c 16 <&7 | wc -c)
  exec 7<&- 7>&-
  [ "$answer" = 16 ]
}

# /api/nodes and the like already call a node running that still boots; a listener is the last that comes up.
ready_rabbitmq() {
  curl -fsS -m 3 -u "${USER_OF[rabbitmq]}:${PASSWORD_OF[rabbitmq]}" \
    "http://127.0.0.1:${PORT[management]}/api/health/checks/port-listener/${PORT[rabbitmq]}"
}

# Green or yellow: before that it answers, and finds nothing.
ready_search() { curl -fsS -m 3 "http://127.0.0.1:${PORT[search]}/_cluster/health?wait_for_status=yellow&timeout=1s"; }

# Its `Metadata` request, version 1, for no topic. The fourth of the numbers in the answer is that of brokers one can work with.
ready_kafka() {
  local answer
  exec 7<>"/dev/tcp/127.0.0.1/${PORT[kafka]}" || return 1
  printf '\0\0\0\x0e\0\x03\0\x01\0\0\0\0\xff\xff\0\0\0\0' >&7
  answer=$(timeout 2 head -c 12 <&7 | od -An -v -tu1 | tr -d ' \n')
  exec 7<&- 7>&-
  [ "${answer: -1}" = 1 ]
}

ready_influxdb() { curl -fsS -m 3 "http://127.0.0.1:${PORT[influxdb]}/ping"; }

# Whatever it answers: MinIO knows nobody without a signature.
ready_s3() { curl -sS -m 3 "http://127.0.0.1:${PORT[s3]}/"; }

ready_mail() {
  local greeting
  exec 7<>"/dev/tcp/127.0.0.1/${PORT[mail]}" || return 1
  read -r -t 2 greeting <&7 || true
  exec 7<&- 7>&-
  [[ $greeting == 220* ]]
}

wait_for_servers() {
  local name
  for name in "${SERVERS[@]}"; do
    wait_for "$name" 90 "ready_$name" || return 1
  done
}

servers_ready() {
  local name
  for name in "${SERVERS[@]}"; do
    "ready_$name" >/dev/null 2>&1 || return 1
  done
}
