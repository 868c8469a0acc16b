# shellcheck shell=bash disable=SC2154
# OpenSearch, which answers Elasticsearch's REST: one node without passwords, from Maven's jars (Debian packages neither).

# shellcheck source=/dev/null
. "$here/jvm.sh"

need_installed() { need_jars search; }

prepare() {
  "${AS[@]}" mkdir -p data data/node_1 data/node_1/config
  printf '%s\n' 'status = error' 'appender.console.type = Console' 'appender.console.name = console' \
    'appender.console.layout.type = PatternLayout' 'appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n' \
    'rootLogger.level = warn' 'rootLogger.appenderRef.console.ref = console' | private_file data/node_1/config/log4j2.properties
  fast_disk
}

start() {
  local options
  jvm_options 512m
  become "$java" "${options[@]}" Search "$SERVER_DATA/data" "$SERVER_PORT"
}
