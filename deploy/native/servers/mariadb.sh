# shellcheck shell=bash
# MariaDB. --no-defaults comes first everywhere: /etc/mysql names the system-wide instance's paths.

need_installed() {
  command -v mariadbd >/dev/null || fail "MariaDB is not installed; './dev install' does it"
}

sql_text() { # a string literal; the server runs with its default sql_mode, where the backslash escapes
  local text=${1//\\/\\\\}
  printf "'%s'" "${text//\'/\'\'}"
}

# Made beside its place and renamed when it is whole, as an interrupted installation leaves a folder that looks like data.
prepare() {
  [ ! -d data ] || return 0
  local log
  rm -rf data.new
  # root is only who runs the server, over the socket: there is no root with an empty password.
  log=$(run mariadb-install-db --no-defaults --datadir="$SERVER_DATA/data.new" --skip-test-db \
    --auth-root-authentication-method=socket --auth-root-socket-user="$("${AS[@]}" id -un)" 2>&1) ||
    fail "mariadb-install-db failed: $log"
  # `--bootstrap` runs SQL with no network and no grants; one statement a line.
  log=$(run mariadbd --no-defaults --datadir="$SERVER_DATA/data.new" --bootstrap 2>&1 <<SQL
FLUSH PRIVILEGES;
CREATE DATABASE \`$SERVER_DATABASE\` CHARACTER SET utf8mb4;
CREATE USER '$SERVER_USER'@'%' IDENTIFIED BY $(sql_text "$SERVER_PASSWORD");
GRANT ALL PRIVILEGES ON *.* TO '$SERVER_USER'@'%' WITH GRANT OPTION;
SQL
  ) || fail "making the user and the database failed: $log"
  [ "$SERVER_DURABLE" = 0 ] || sync -f data.new
  mv -T data.new data
  [ "$SERVER_DURABLE" = 0 ] || sync .
}

start() {
  # The socket's path is relative to the data folder: an absolute one may be longer than the kernel allows.
  local options=(--no-defaults "--datadir=$SERVER_DATA/data" --socket=mysqld.sock --pid-file=mysqld.pid
    --bind-address=127.0.0.1 "--port=$SERVER_PORT" --skip-name-resolve --max-connections=400
    --innodb-buffer-pool-size=128M --character-set-server=utf8mb4 --default-time-zone=+00:00)
  [ "$SERVER_DURABLE" != 0 ] ||
    options+=(--innodb-flush-log-at-trx-commit=0 --innodb-flush-method=nosync --innodb-doublewrite=0)
  become mariadbd "${options[@]}"
}
