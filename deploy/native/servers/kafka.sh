# shellcheck shell=bash disable=SC2154
# Kafka: one node, broker and controller at once (KRaft), from Maven's jars (Debian does not package it). No passwords.

# shellcheck source=/dev/null
. "$here/jvm.sh"

need_installed() { need_jars kafka; }

# The address is part of what clients are told: behind a proxy they would go past it.
prepare() {
  {
    printf 'process.roles=broker,controller\nnode.id=1\nlog.dirs=%s\n' "$SERVER_DATA/data"
    # The controller is on another loopback address, and the next port, as Kafka wants its ports to differ whatever the address.
    printf 'controller.quorum.voters=1@127.0.0.3:%s\n' "$((SERVER_PORT + 1))"
    printf 'listeners=PLAINTEXT://127.0.0.1:%s,CONTROLLER://127.0.0.3:%s\n' "$SERVER_PORT" "$((SERVER_PORT + 1))"
    printf 'advertised.listeners=PLAINTEXT://127.0.0.1:%s\n' "$SERVER_PORT"
    printf '%s\n' controller.listener.names=CONTROLLER inter.broker.listener.name=PLAINTEXT \
      listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT \
      offsets.topic.replication.factor=1 offsets.topic.num.partitions=5 \
      transaction.state.log.replication.factor=1 transaction.state.log.min.isr=1 transaction.state.log.num.partitions=5 \
      group.initial.rebalance.delay.ms=0 broker.heartbeat.interval.ms=500 broker.session.timeout.ms=3000 num.partitions=3 log.cleaner.dedupe.buffer.size=8388608
    # Its default leaves acknowledged records to the kernel, which keeps them when Kafka is killed, but not when the machine is.
    [ "$SERVER_DURABLE" = 0 ] || printf 'log.flush.interval.messages=1\n'
  } | private_file server.properties
  fast_disk
  if [ ! -d data ]; then format; fi
}

# Made beside its place and renamed when it is whole.
format() {
  local options log id
  jvm_options 64m
  id=$(head -c 16 /dev/urandom | base64 | tr '+/' 'ab')
  rm -rf data.new
  sed "s#^log.dirs=.*#log.dirs=$SERVER_DATA/data.new#" server.properties | private_file format.properties
  log=$(run "$java" "${options[@]}" kafka.tools.StorageTool format -t "${id%==}" -c format.properties 2>&1) ||
    fail "formatting the data folder failed: $log"
  [ "$SERVER_DURABLE" = 0 ] || sync -f data.new
  mv -T data.new data
  [ "$SERVER_DURABLE" = 0 ] || sync .
}

start() {
  local options
  jvm_options 256m
  become "$java" "${options[@]}" -Dorg.slf4j.simpleLogger.defaultLogLevel=warn kafka.Kafka server.properties
}
