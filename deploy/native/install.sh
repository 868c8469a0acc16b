# shellcheck shell=bash
# Installs what is missing, by apt, PyPI, Maven and cargo; with nothing missing it takes no noticeable time.

# One line each: Debian's package, then a test of what we need from it. Not dpkg's word: a server built by hand is as good.
missing_packages() {
  local package check
  { core_packages; [ -z "$FULL" ] || full_packages; } | while read -r package check; do
    eval "$check" >/dev/null 2>&1 || printf '%s\n' "$package"
  done
}

core_packages() {
  cat <<'LIST'
postgresql         compgen -G '/usr/lib/postgresql/*/bin/postgres'
mariadb-server     command -v mariadbd
mariadb-client     command -v mariadb-admin
redis-server       command -v redis-server
redis-tools        command -v redis-cli
rabbitmq-server    test -x /usr/lib/rabbitmq/bin/rabbitmq-server
supervisor         command -v supervisord
python3-venv       compgen -G '/usr/lib/python3*/ensurepip'
curl               command -v curl
jq                 command -v jq
libeatmydata1      compgen -G '/usr/lib/*/libeatmydata.so'
LIST
}

# For the servers of `./dev up --full`, which tests want too, and the bridge, whose client of Kafka is built from C.
full_packages() {
  cat <<'LIST'
influxdb              command -v influxd
default-jdk-headless  command -v java && command -v javac
maven                 command -v mvn
g++                   command -v g++
make                  command -v make
LIST
}

# as_root COMMAND...
as_root() {
  if is_root; then "$@"; else sudo -- "$@"; fi
}

can_be_root() {
  is_root || { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; }
}

POLICY=/usr/sbin/policy-rc.d
CLUSTERS=/etc/postgresql-common/createcluster.d/warren.conf

# A freshly installed server package starts a system-wide instance, on the ports that are to be ours. Both hooks are Debian's
# own for that, and stay only while we install.
forbid_autostart() {
  if [ -e "$POLICY" ] && ! grep -qs '^# warren:' "$POLICY"; then as_root mv "$POLICY" "$POLICY.before-warren"; fi
  printf '#!/bin/sh\n# warren: no server starts while its package is installed\nexit 101\n' | as_root tee "$POLICY" >/dev/null
  as_root chmod 755 "$POLICY"
  as_root mkdir -p "${CLUSTERS%/*}"
  printf 'create_main_cluster = false\n' | as_root tee "$CLUSTERS" >/dev/null
}

allow_autostart() {
  as_root rm -f "$CLUSTERS"
  if grep -qs '^# warren:' "$POLICY"; then as_root rm -f "$POLICY"; fi
  if [ -e "$POLICY.before-warren" ]; then as_root mv "$POLICY.before-warren" "$POLICY"; fi
}

# What we installed ourselves must not come up at the next boot either. Units that were there before are left alone.
disable_units() {
  local package unit
  for package in "$@"; do
    case $package in
      mariadb-server) unit=mariadb ;;
      redis-server | rabbitmq-server | supervisor | nginx | influxdb) unit=$package ;;
      *) continue ;;
    esac
    as_root systemctl disable "$unit" >/dev/null 2>&1 || true
    as_root update-rc.d "$unit" disable >/dev/null 2>&1 || true
  done
}

apt() { as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get -o DPkg::Lock::Timeout=180 -o Acquire::Retries=3 "$@"; }

install_packages() {
  local wanted
  mapfile -t wanted < <(missing_packages)
  [ "${#wanted[@]}" -gt 0 ] || return 0
  command -v apt-get >/dev/null ||
    die "Missing: ${wanted[*]}. They are installed by apt, on Debian and Ubuntu; elsewhere use Docker (./dev up --docker)."
  can_be_root || die "Missing packages, and neither root nor sudo to install them. Let somebody who may run:
  apt-get install --no-install-recommends ${wanted[*]}"
  say "Installing by apt: ${wanted[*]} (a minute or two)"
  # In a subshell, whose end, however it comes, takes the hooks away again.
  (apt_install "${wanted[@]}") || exit 1
  disable_units "${wanted[@]}"
  mapfile -t wanted < <(missing_packages)
  [ "${#wanted[@]}" -eq 0 ] || die "Installed, and yet not found: ${wanted[*]}; all that apt said is in $STATE/install.log"
}

apt_install() {
  local log=$STATE/install.log
  trap allow_autostart EXIT
  forbid_autostart
  apt update -qq 2>&1 | mask_hosts >"$log" || say "The package lists could not all be refreshed; going on with those here."
  if ! apt install -y --no-install-recommends "$@" 2>&1 | mask_hosts | tee -a "$log" | installed_so_far "$@"; then
    tail -n 15 "$log" >&2
    die "apt could not install them; all it said is in $log"
  fi
}

# Only the load generator wants it, to compare the gateway with; without it that one measurement fails, and says why.
install_nginx() {
  if [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null; then return 0; fi
  if ! command -v apt-get >/dev/null || ! can_be_root; then
    warn "There is no nginx, which the gateway is compared with; apt-get install --no-install-recommends nginx"
    return 0
  fi
  say "Installing by apt: nginx"
  (apt_install nginx) || exit 1
  disable_units nginx
}

installed_so_far() {
  local line package
  while IFS= read -r line; do
    for package in "$@"; do
      case $line in "Setting up $package "*) say "  installed $package" ;; esac
    done
  done
}

make_user() {
  if is_root && ! id "$SERVER_USER_NAME" >/dev/null 2>&1; then
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$SERVER_USER_NAME" ||
      die "The system user '$SERVER_USER_NAME', who runs the servers, could not be made."
  fi
}

# Debian's own Python: one that pyenv put into somebody's home cannot be reached by the servers' user.
system_python() {
  if [ -x /usr/bin/python3 ]; then say /usr/bin/python3; else command -v python3; fi
}

SECANTUS=SecantusDB==0.7.0b3
SERVERS_VENV=('moto[s3]==5.2.5' Flask==3.1.3 flask-cors==6.0.5 aiosmtpd==1.4.6)

install_mongo() {
  command -v mongod >/dev/null || install_venv mongo-venv "which speaks MongoDB's protocol; there is no mongod here" "$SECANTUS"
}

# install_venv FOLDER WHY REQUIREMENT...: a Python environment in STATE.
install_venv() {
  local venv=$STATE/$1 why=$2 log=$STATE/install-$1.log
  shift 2
  [ "$(cat "$venv/version" 2>/dev/null)" != "$*" ] || return 0
  say "Installing $* ($why)"
  rm -rf "$venv"
  if ! { "$(system_python)" -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check "$@"; } \
    2>&1 | mask_hosts >"$log"; then
    tail -n 15 "$log" >&2
    die "They could not be installed; all that pip said is in $log"
  fi
  printf '%s\n' "$*" >"$venv/version"   # last, so that an interrupted install is begun anew
}

# install_jars NAME WHAT: those that jars/NAME.xml asks for, into STATE, and what there is of our own to start them. Maven keeps
# what it fetched, and so is quick next time.
install_jars() {
  local pom=$ROOT/deploy/native/jars/$1.xml source=$ROOT/deploy/native/jars/${1^}.java folder=$STATE/jars/$1 version
  local log=$STATE/install-$1.log
  [ -e "$source" ] || source=''
  version=$(cat "$pom" ${source:+"$source"})
  [ "$(cat "$folder/version" 2>/dev/null)" != "$version" ] || return 0
  say "Fetching the jars of $2 by Maven (50 MB)"
  rm -rf "$folder"
  mkdir -p "$folder"
  if ! { mvn --quiet --batch-mode -f "$pom" dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$folder" &&
    { [ -z "$source" ] || javac -cp "$folder/*" -d "$folder" "$source"; }; } </dev/null 2>&1 | mask_hosts >"$log"; then
    tail -n 15 "$log" >&2
    die "The jars of $2 could not be fetched; all that Maven said is in $log"
  fi
  chmod -R a+rX "$STATE/jars"
  printf '%s\n' "$version" >"$folder/version"   # last, as above
}

# at_once COMMAND...: each is one word of a function and its arguments; false if any fails.
at_once() {
  local command job jobs=() good=0
  for command in "$@"; do
    ($command) &
    jobs+=("$!")
  done
  for job in "${jobs[@]}"; do wait "$job" || good=1; done
  return "$good"
}

CARGO_DENY_VERSION=0.20.2

# Built from source, which takes minutes, unless the developer has it: the one tool that is not packaged.
install_cargo_deny() {
  local log=$STATE/cargo-deny.log
  PATH="$STATE/tools/bin:$PATH"
  if cargo-deny --version 2>/dev/null | grep -qF " $CARGO_DENY_VERSION"; then return 0; fi
  say "Building cargo-deny $CARGO_DENY_VERSION (once; several minutes on two cores)"
  if ! CARGO_TARGET_DIR=$STATE/tools/target cargo install cargo-deny --version "$CARGO_DENY_VERSION" --locked --quiet \
    --root "$STATE/tools" 2>&1 | mask_hosts >"$log"; then
    tail -n 15 "$log" >&2
    warn "cargo-deny could not be built; all that cargo said is in $log"
    return 1
  fi
  rm -rf "$STATE/tools/target"
  hash -r
}

install_servers_venv() { install_venv servers-venv "which stand for S3 and a mail server" "${SERVERS_VENV[@]}"; }

# What the servers of the chosen set need: see FULL.
install_servers() {
  mkdir -p "$STATE"
  install_packages
  make_user
  if [ -n "$FULL" ]; then
    at_once install_mongo install_servers_venv "install_jars search OpenSearch" "install_jars kafka Kafka" ||
      die "Not everything could be installed."
  else
    install_mongo
  fi
}

install_all() {
  local FULL=yes
  install_servers
}
