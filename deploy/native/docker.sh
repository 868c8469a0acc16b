# shellcheck shell=bash
# The same tasks where a Docker daemon answers, by docker compose.

docker_answers() {
  command -v docker >/dev/null && timeout 10 docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1
}

compose() { (cd "$ROOT" && docker compose "$@"); }

# `down`, `status` and `logs` mean Docker after an `up` by Docker.
docker_is_up() { [ -e "$STATE/docker-up" ] && docker_answers; }

up_docker() {
  docker_answers || die "No Docker daemon with compose answers here; './dev up --native' needs none."
  [ -e "$ROOT/docker-compose.yml" ] || die "There is no docker-compose.yml; use './dev up --native'."
  mkdir -p "$STATE"
  : >"$STATE/docker-up"
  if ! compose up --build --wait -d; then
    compose ps --all || true
    die "docker compose did not bring everything up: 'docker compose logs NAME' tells why. './dev up --native' needs no Docker."
  fi
  use_main_set
  compose ps
  first_request
}

down_docker() {
  local options=()
  [ "$1" != volumes ] || options=(--volumes)
  compose down --remove-orphans "${options[@]}"
  rm -f "$STATE/docker-up"
}

# Ends with false if a container that should run does not, or is not healthy.
status_docker() {
  local bad
  compose ps --all
  bad=$(compose ps --all --format '{{.Service}} {{.State}} {{.Health}} {{.ExitCode}}' |
    awk '!($2 == "running" && $3 != "unhealthy" && $3 != "starting") && !($2 == "exited" && $4 == 0) { print $1 }')
  [ -z "$bad" ] || { warn "Not running as it should: $(tr '\n' ' ' <<<"$bad")"; return 1; }
}
