# shellcheck shell=bash
# RabbitMQ, with management and Prometheus. A node is private by its name, cookie (HOME), folders and plugins file.
#
# One port mapper (epmd) on a port of our own serves all of a machine's private nodes. It only maps names to ports, and
# knows no cookies; names are unique, and a killed node's entry goes with its connection. So there is nothing to clean up
# after kill -9, and Debian's system-wide epmd (4369) is left alone.

EPMD_PORT=${SERVER_EPMD_PORT:-24369}

# The plain scripts: those in /usr/sbin switch to the user `rabbitmq`.
scripts=/usr/lib/rabbitmq/bin

need_installed() {
  [ -x "$scripts/rabbitmq-server" ] || fail "RabbitMQ is not installed; './dev install' does it"
}

# Nodes talk to each other and to rabbitmqctl on a port of its own, by default AMQP + 20000, where outgoing connections (and
# our test servers) are. Here it has the number of the AMQP port, which is ours, on the second loopback address.
DIST_ADDRESS=127.0.0.2

# The name is kept: it is part of what the node writes, and with a new one it would find none of its data.
node_name() {
  [ -s "$SERVER_DATA/node-name" ] ||
    printf 'warren-%s-%04x@%s\n' "$SERVER_PORT" "$((RANDOM % 65536))" "$DIST_ADDRESS" | private_file node-name
  cat "$SERVER_DATA/node-name"
}

# RUNNING_UNDER_SYSTEMD makes the script become the Erlang VM instead of waiting for it as a shell, and
# RABBITMQ_CONF_ENV_FILE keeps /etc/rabbitmq out.
node_environment() {
  node=$(node_name)
  local data=$SERVER_DATA/data
  clean_env+=("RABBITMQ_NODENAME=$node" RABBITMQ_USE_LONGNAME=true "ERL_EPMD_PORT=$EPMD_PORT" "ERL_EPMD_ADDRESS=$DIST_ADDRESS"
    RABBITMQ_CONF_ENV_FILE=/dev/null "RABBITMQ_MNESIA_BASE=$data" "RABBITMQ_LOG_BASE=$data" RABBITMQ_LOGS=-
    "RABBITMQ_PID_FILE=$data/pid" "ERL_CRASH_DUMP=$data/erl_crash.dump"
    RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 "RABBITMQ_NODE_PORT=$SERVER_PORT" "RABBITMQ_DIST_PORT=$SERVER_PORT"
    RABBITMQ_CTL_DIST_PORT_MIN=24370 RABBITMQ_CTL_DIST_PORT_MAX=24399
    "RABBITMQ_CONFIG_FILE=$SERVER_DATA/rabbitmq.conf" "RABBITMQ_ENABLED_PLUGINS_FILE=$SERVER_DATA/enabled_plugins"
    RUNNING_UNDER_SYSTEMD=1
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {${DIST_ADDRESS//./,}} +sbwt none +sbwtdcpu none +sbwtdio none")
}

json_text() {
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

# A first start that is killed while it makes its tables leaves a folder with which no later start ever succeeds. So data
# without this mark is thrown away. The mark is made once management listens: all tables are there by then, while users are
# not, so that nobody can have stored anything before it.
COMPLETE=data/first-start-complete

mark_first_start() {
  [ ! -e "$COMPLETE" ] || return 0
  # Twice in the background: a child that the VM does not know of is left to init. $$ is the pid that becomes the node.
  (
    (
      until_ready 120 pid_listens "$$" "$SERVER_HTTP_PORT" || exit 0
      "${AS[@]}" touch "$COMPLETE"
      sync "$COMPLETE" data .
    ) </dev/null >/dev/null 2>&1 9>&- &
  )
}

# User, vhost and rights come as definitions, which every start applies. `default_user` would count only in a start that
# finds no data: a first one that is interrupted can leave a broker nobody can ever log in to.
prepare() {
  local user vhost
  : "${SERVER_HTTP_PORT:?is the port of management}"
  take_port "$SERVER_HTTP_PORT"
  [ -z "${SERVER_METRICS_PORT:-}" ] || take_port "$SERVER_METRICS_PORT"
  [ -e "$COMPLETE" ] || rm -rf data node-name
  "${AS[@]}" mkdir -p data
  user=$(json_text "$SERVER_USER") vhost=$(json_text "$SERVER_DATABASE")
  printf '{"users":[{"name":%s,"password":%s,"tags":"administrator"}],"vhosts":[{"name":%s}],
"permissions":[{"user":%s,"vhost":%s,"configure":".*","write":".*","read":".*"}]}\n' \
    "$user" "$(json_text "$SERVER_PASSWORD")" "$vhost" "$user" "$vhost" | private_file definitions.json
  printf '[rabbitmq_management,rabbitmq_prometheus].\n' | private_file enabled_plugins
  {
    printf 'load_definitions = %s\n' "$SERVER_DATA/definitions.json"
    printf 'management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = %s\n' "$SERVER_HTTP_PORT"
    printf 'prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = %s\n' "${SERVER_METRICS_PORT:-0}"
    # Absolute: by default a node takes 40 % of the machine, each of several.
    printf 'vm_memory_high_watermark.absolute = 2GB\ndisk_free_limit.absolute = 200MB\n'
    printf 'log.console = true\nlog.console.level = warning\n'
    [ -z "${SERVER_CONFIG:-}" ] || cat "$SERVER_CONFIG"
  } | private_file rabbitmq.conf
}

# Started here and apart from the node, so that it holds neither the folder's lock nor the caller's output open.
start_epmd() {
  run "ERL_EPMD_PORT=$EPMD_PORT" epmd -address "$DIST_ADDRESS" -daemon </dev/null >/dev/null 2>&1 9>&-
  until_ready 5 port_taken "$EPMD_PORT" || fail "the port mapper did not start on port $EPMD_PORT"
}

start() {
  node_environment
  fast_disk
  port_taken "$EPMD_PORT" || start_epmd
  mark_first_start
  become "$scripts/rabbitmq-server"
}

rabbitmqctl_here() {
  node_environment
  become "$scripts/rabbitmqctl" -q -n "$node" "$@"
}
