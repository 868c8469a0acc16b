# shellcheck shell=bash
# Warren's own programs: built, put in place with their environment, run by the same supervisor as the servers.

build_programs() {
  local packages=() name
  command -v cargo >/dev/null ||
    die "cargo is not on PATH. Rust (rustup) builds the programs; './dev servers' runs just the servers."
  # Together, as cargo would compile what they share anew for each. `./dev warren` runs the last one.
  for name in "${PROGRAMS[@]}" warren; do packages+=(-p "$name"); done
  say "Building ${PROGRAMS[*]} (the first time takes minutes)"
  (cd "$ROOT" && cargo build --release --locked "${packages[@]}") || die "The build failed. The servers keep running."
}

built_program() { say "${CARGO_TARGET_DIR:-$ROOT/target}/release/$1"; }

# All of the file of settings goes to the programs. Addresses of servers are what ./dev itself started, so that a port
# changed in one place is changed everywhere.
program_environment() {
  local name=$1 variable
  for variable in "${!DOTENV[@]}"; do
    case $variable in PATH | HOME | LISTEN | GRPC_LISTEN | ADMIN_* | LD_*) continue ;; esac
    printf '%s=%s\0' "$variable" "$(dotenv "$variable")"
  done | sort -z
  for variable in RUST_LOG RUST_BACKTRACE ENVIRONMENT JWT_SECRET REGISTRY_TOKEN; do
    [ -z "${!variable:-}" ] || printf '%s=%s\0' "$variable" "${!variable}"
  done
  server_urls | tr '\n' '\0'
  printf 'REGISTRY_URL=http://127.0.0.1:%s\0' "${PORT[registry]}"
  # For as long as the registry knows nobody.
  printf 'SERVICE_URLS=%s\0' "$(urls)"
  printf 'GRPC_URLS=%s\0' "$(urls -grpc)"
  if [ "$name" = producer ]; then
    # The first admin; production refuses this password.
    printf 'ADMIN_EMAIL=%s\0' "${ADMIN_EMAIL:-${DOTENV[ADMIN_EMAIL]:-admin@example.org}}"
    printf 'ADMIN_PASSWORD=%s\0' "${ADMIN_PASSWORD:-${DOTENV[ADMIN_PASSWORD]:-warren-admin-password}}"
  fi
  printf 'LISTEN=127.0.0.1:%s\0' "${PORT[$name]}"
  [ -z "${PORT[$name-grpc]-}" ] || printf 'GRPC_LISTEN=127.0.0.1:%s\0' "${PORT[$name-grpc]}"
}

# Copies what is new into the program's folder: a build does not disturb what runs, and the servers' user can read it there
# wherever the repository is. True if anything was.
place_program() {
  local name=$1 folder=$SET_DIR/data/$1 built changed=1
  built=$(built_program "$name")
  if is_root; then install -d -o "$SERVER_USER_NAME" -g "$SERVER_USER_NAME" -m 700 "$folder"; else mkdir -p "$folder"; fi
  if ! cmp -s "$built" "$folder/$name"; then
    install -m 755 "$built" "$folder/$name.new" || die "$built could not be put into $folder"
    mv "$folder/$name.new" "$folder/$name"
    changed=0
  fi
  (umask 077 && program_environment "$name" >"$folder/environment.new")
  cmp -s "$folder/environment.new" "$folder/environment" || changed=0
  mv "$folder/environment.new" "$folder/environment"
  return "$changed"
}

write_programs_conf() {
  local name priority=1000   # after the servers
  for name in "${PROGRAMS[@]}"; do
    # Longer than the programs' own limit for an orderly stop.
    program_conf "$name" program TERM 30 "$priority" "PROGRAM_DIR=$SET_DIR/data/$name"
    priority=$((priority + 1))
  done >"$SET_DIR/conf.d/programs.conf.new"
  mv "$SET_DIR/conf.d/programs.conf.new" "$SET_DIR/conf.d/programs.conf"
}

ready_program() { curl -fsS -m 3 "http://127.0.0.1:${PORT[$1]}/ready"; }

start_programs() {
  local name running changed=()
  running=$(states)
  for name in "${PROGRAMS[@]}"; do
    if place_program "$name"; then changed+=("$name"); fi
  done
  write_programs_conf
  apply_conf
  for name in "${PROGRAMS[@]}"; do
    grep -q "^$name " <<<"$running" || continue   # just added, and so just started
    case " ${changed[*]} " in
      *" $name "*)
        say "Restarting $name: it changed"
        control restart "$name" >/dev/null || true
        ;;
    esac
  done
  revive
  for name in "${PROGRAMS[@]}"; do
    wait_for "$name" 120 ready_program "$name" || die "The rest keeps running; './dev logs $name' shows more, './dev down' stops all."
  done
}
