# shellcheck shell=bash disable=SC2034
# The one place that reads ports, and names the servers, programs and their credentials. There are two sets of servers:
# `main` is what ./dev up runs, durable and on the documented ports; `test` is for tests, fast and thrown away.

SERVERS=() PROGRAMS=()

# Not empty: with the servers that Warren can do without, and the program that needs them. Tests always have them; what `./dev up`
# started with them keeps them until `./dev down`.
FULL=''

choose_full() {
  SERVERS=(postgres mariadb redis mongo rabbitmq)
  # In the order of their start; they are stopped the other way round. Ports of gRPC are documented to be where outgoing
  # connections take theirs from (32768 and up): so those programs are first, before anything of ours opens many connections.
  PROGRAMS=(owners products orders payments registry producer consumer gateway)
  if grep -qs '^\[program:search\]' "$SET_DIR/conf.d/servers.conf"; then FULL=yes; fi
  if [ "$SET" = main ] && docker_is_full; then FULL=yes; fi
  [ -n "$FULL" ] || return 0
  SERVERS+=(search kafka influxdb s3 mail)
  PROGRAMS+=(bridge)
}

# dotenv NAME: its value in the environment, else in the file of settings (.env, else .env.example). Read as text, never
# run: `export`, quotes and comments are understood, ${OTHER} is put in.
declare -A DOTENV=()
dotenv_file() {
  if [ -f "$ROOT/.env" ]; then say "$ROOT/.env"; else say "$ROOT/.env.example"; fi
}

read_dotenv() {
  local file line name value other literal
  file=$(dotenv_file)
  [ -r "$file" ] || return 0
  while IFS= read -r line || [ -n "$line" ]; do
    [[ ${line%$'\r'} =~ ^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)[[:space:]]*=[[:space:]]*(.*)$ ]] || continue
    name=${BASH_REMATCH[2]} value=${BASH_REMATCH[3]} literal=''
    case $value in
      \'*\'*) value=${value#\'} value=${value%%\'*} literal=yes ;;
      \"*\"*) value=${value#\"} value=${value%%\"*} ;;
      \#*) value='' ;;
      *) value=${value%%[[:space:]]#*} value=${value%"${value##*[![:space:]]}"} ;;
    esac
    while [ -z "$literal" ] && [[ $value =~ ^([^\$]*)\$\{?([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\}?(.*)$ ]]; do
      other=$(dotenv "${BASH_REMATCH[2]}")
      value=${BASH_REMATCH[1]}${other:-${BASH_REMATCH[3]#:-}}${BASH_REMATCH[4]}
    done
    DOTENV[$name]=$value
  done <"$file"
}

dotenv() { printf '%s\n' "${!1-${DOTENV[$1]-}}"; }

declare -A PORT=() PORT_VARIABLE=() DEFAULT_PORT=() USER_OF=() PASSWORD_OF=() DATABASE_OF=()

# port NAME VARIABLE DEFAULT
port() {
  local value
  value=$(dotenv "$2")
  value=${value%%-*}   # Docker takes a range; one process needs its first.
  PORT[$1]=${value:-$3} PORT_VARIABLE[$1]=$2 DEFAULT_PORT[$1]=$3
  [[ ${PORT[$1]} =~ ^[1-9][0-9]{0,4}$ && ${PORT[$1]} -le 65535 ]] ||
    die "$2 must be a port number, not '${PORT[$1]}'"
}

use_main_set() {
  SET=main SET_DIR=$STATE/main DURABLE=1
  choose_full
  read_dotenv
  port postgres POSTGRES_PORT 5432
  port mariadb MARIADB_PORT 3306
  port redis REDIS_PORT 6379
  port mongo MONGO_PORT 27017
  port rabbitmq RABBITMQ_PORT 5672
  port management RABBITMQ_MANAGEMENT_PORT 15672
  port metrics RABBITMQ_METRICS_PORT 15692
  port gateway GATEWAY_PORT 3000
  port registry REGISTRY_PORT 8761
  port producer PRODUCER_PORT 8081
  port consumer CONSUMER_PORT 8080
  port owners OWNERS_PORT 30000
  port products PRODUCTS_PORT 30001
  port orders ORDERS_PORT 30002
  port payments PAYMENTS_PORT 30003
  port owners-grpc OWNERS_GRPC_PORT 40000
  port products-grpc PRODUCTS_GRPC_PORT 40001
  port orders-grpc ORDERS_GRPC_PORT 40002
  if [ -n "$FULL" ]; then
    port search SEARCH_PORT 9200
    port kafka KAFKA_PORT 9092
    port influxdb INFLUXDB_PORT 8086
    port s3 S3_PORT 9000
    port mail MAIL_PORT 1025
    port bridge BRIDGE_PORT 30004
  fi
  USER_OF=([postgres]=admin [mariadb]=warren [rabbitmq]=user [s3]=warren)
  PASSWORD_OF=([postgres]=adminpassword [mariadb]=warren-password [rabbitmq]=password [s3]=warren-password)
  DATABASE_OF=([postgres]=mydatabase [mariadb]=student_records [rabbitmq]=my_vhost)
}

use_test_set() {
  SET=test SET_DIR=$STATE/test DURABLE=0 FULL=yes
  choose_full
  port postgres TEST_POSTGRES_PORT 25432
  port mariadb TEST_MARIADB_PORT 23306
  port redis TEST_REDIS_PORT 26379
  port mongo TEST_MONGO_PORT 27117
  port rabbitmq TEST_RABBITMQ_PORT 25672
  port management TEST_RABBITMQ_MANAGEMENT_PORT 25673
  port metrics TEST_RABBITMQ_METRICS_PORT 25674
  port search TEST_SEARCH_PORT 29200
  port kafka TEST_KAFKA_PORT 29092
  port influxdb TEST_INFLUXDB_PORT 28086
  port s3 TEST_S3_PORT 29000
  port mail TEST_MAIL_PORT 21025
  USER_OF=([postgres]=warren [mariadb]=warren [rabbitmq]=warren [s3]=warren)
  PASSWORD_OF=([postgres]=warren [mariadb]=warren [rabbitmq]=warren [s3]=warren-password)
  DATABASE_OF=([postgres]=warren [mariadb]=warren [rabbitmq]=/)
}

# NAME=VALUE lines: where the servers of the set are, in the variables the programs read.
server_urls() {
  local vhost=${DATABASE_OF[rabbitmq]//\//%2f}
  say "DATABASE_URL=postgres://${USER_OF[postgres]}:${PASSWORD_OF[postgres]}@127.0.0.1:${PORT[postgres]}/${DATABASE_OF[postgres]}"
  say "MYSQL_URL=mysql://${USER_OF[mariadb]}:${PASSWORD_OF[mariadb]}@127.0.0.1:${PORT[mariadb]}/${DATABASE_OF[mariadb]}"
  say "MONGODB_URL=mongodb://127.0.0.1:${PORT[mongo]}/?directConnection=true"
  say "REDIS_URL=redis://127.0.0.1:${PORT[redis]}"
  say "AMQP_URL=amqp://${USER_OF[rabbitmq]}:${PASSWORD_OF[rabbitmq]}@127.0.0.1:${PORT[rabbitmq]}/$vhost"
  [ -n "$FULL" ] || return 0
  say "SEARCH_URL=http://127.0.0.1:${PORT[search]}"
  say "KAFKA_BROKERS=127.0.0.1:${PORT[kafka]}"
  say "INFLUXDB_URL=http://127.0.0.1:${PORT[influxdb]}"
  say "S3_URL=http://127.0.0.1:${PORT[s3]}"
  say "S3_ACCESS_KEY=${USER_OF[s3]}"
  say "S3_SECRET_KEY=${PASSWORD_OF[s3]}"
  say "SMTP_URL=smtp://127.0.0.1:${PORT[mail]}"
}

# urls [SUFFIX]: NAME=URL of each program that has a port of this kind, with commas between them.
urls() {
  local name all=()
  for name in "${PROGRAMS[@]}"; do
    [ -z "${PORT[$name${1-}]-}" ] || all+=("$name=http://127.0.0.1:${PORT[$name${1-}]}")
  done
  (IFS=, && say "${all[*]}")
}

# The same for tests, and how they run private servers of their own.
test_variables() {
  server_urls | sed -e 's/^DATABASE_URL=/TEST_POSTGRES_URL=/' -e 's/^SMTP_URL=/TEST_MAIL_URL=/' -e t -e 's/^/TEST_/'
  say "TEST_MAIL_FOLDER=$SET_DIR/data/mail/mails"
  say "TEST_RABBITMQ_API=http://${USER_OF[rabbitmq]}:${PASSWORD_OF[rabbitmq]}@127.0.0.1:${PORT[management]}"
  say "WARREN_NATIVE_SERVER=$ROOT/deploy/native/server"
}
