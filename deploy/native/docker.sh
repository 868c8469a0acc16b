# shellcheck shell=bash
# The same tasks where a Docker daemon answers, by docker compose.

docker_answers() {
  command -v docker >/dev/null && timeout 10 docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1
}

# What was started with the profile keeps it until down.
docker_is_full() { [ "$(cat "$STATE/docker-up" 2>/dev/null)" = full ]; }

compose() {
  local profile=()
  ! docker_is_full || profile=(--profile full)
  (cd "$ROOT" && docker compose "${profile[@]}" "$@")
}

# `down`, `status` and `logs` mean Docker after an `up` by Docker.
docker_is_up() { [ -e "$STATE/docker-up" ] && docker_answers; }

# Said before a build of minutes. Of a range of ports Docker takes one that is free.
check_docker_ports() {
  local name ours problem=0
  ours=$(compose ps --format '{{.Ports}}' | tr ',' '\n' | sed -nE 's/.*:([0-9]+)->.*/\1/p')
  for name in "${!PORT[@]}"; do
    case $name in payments | mail) continue ;; esac   # which Docker keeps to itself, or has not
    [[ $(dotenv "${PORT_VARIABLE[$name]}") != *-* ]] || continue
    if port_taken "${PORT[$name]}" && ! grep -qx "${PORT[$name]}" <<<"$ours"; then
      say_taken "$name"
      problem=1
    fi
  done
  [ "$problem" = 0 ] || die "Nothing was started."
}

up_docker() {
  docker_answers || die "No Docker daemon with compose answers here; './dev up --native' needs none."
  [ -e "$ROOT/docker-compose.yml" ] || die "There is no docker-compose.yml; use './dev up --native'."
  use_main_set
  ! native_is_up || die "Warren runs natively here; './dev down' first."
  check_docker_ports
  mkdir -p "$STATE"
  if [ -z "$FULL" ]; then
    : >"$STATE/docker-up"
  elif ! docker_is_full; then
    say full >"$STATE/docker-up"
    # They find out about the profile when they start.
    compose rm --stop --force consumer products products-worker
  fi
  if ! compose up --build --wait -d; then
    compose ps --all || true
    die "docker compose did not bring everything up: 'docker compose logs NAME' tells why. './dev up --native' needs no Docker."
  fi
  compose ps
  use_published_port gateway
  use_published_port registry
  first_request
}

# use_published_port NAME: the port of this machine that leads to that of the container.
use_published_port() { PORT[$1]=$(compose port "$1" "${DEFAULT_PORT[$1]}" | sed 's/.*://'); }

# With every profile, as `down` leaves the containers of others alone.
down_docker() {
  local options=()
  [ "$1" != volumes ] || options=(--volumes)
  compose --profile '*' down --remove-orphans "${options[@]}"
  rm -f "$STATE/docker-up"
}

# Ends with false if a container that should run does not, or is not healthy.
status_docker() {
  local bad
  compose ps --all
  bad=$({ compose config --services; compose ps --all --format '{{.Service}} {{.State}} {{.Health}}'; } | awk '
    NF == 1 { missing[$1]; next }
    { delete missing[$1] }
    $2 != "running" || $3 ~ /^(unhealthy|starting)$/ { print $1 }
    END { for (name in missing) print name }')
  [ -z "$bad" ] || { warn "Not running as it should: $(tr '\n' ' ' <<<"$bad")"; return 1; }
}
