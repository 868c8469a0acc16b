# shellcheck shell=bash
# The shared servers for tests, and ./dev test.

start_test_servers() {
  use_test_set
  if supervisor_pid >/dev/null && servers_ready; then return 0; fi
  check_ports "${SERVERS[@]}" management metrics
  stop_set
  # Without fsync nothing of an earlier run can be trusted, nor is any of it wanted.
  rm -rf "$SET_DIR/data"
  write_supervisor_conf
  write_servers_conf
  apply_conf
  wait_for_servers
}

prepare_servers() {
  exclusively
  use_test_set
  install_servers
  start_test_servers
}

stop_test_servers() {
  use_test_set
  stop_set
  rm -rf "$SET_DIR/data" "$SET_DIR/conf.d"
}

PASSED=0 FAILED=0 SKIPPED=0 SUMMARY=()

# record NAME STATUS STARTED: a line of the summary.
record() {
  local took=$((SECONDS - $3)) word=${GREEN}passed$PLAIN
  [ "$2" = 0 ] || word=${RED}FAILED$PLAIN
  SUMMARY+=("$(printf '  %-24s %s (%d s)' "$1" "$word" "$took")")
  printf -- '-- %s %s in %d s\n' "$1" "$word" "$took"
}

# step NAME COMMAND...: counts as one test.
step() {
  local name=$1 started=$SECONDS status=0
  shift
  heading "$name"
  "$@" </dev/null || status=$?
  if [ "$status" = 0 ]; then PASSED=$((PASSED + 1)); else FAILED=$((FAILED + 1)); fi
  record "$name" "$status" "$started"
}

# cargo_tests NAME LOG ARGS...: counts each test that ran, by the closing line of each of cargo's test programs.
cargo_tests() {
  local name=$1 log=$2 started=$SECONDS status=0 passed failed skipped
  shift 2
  heading "$name"
  cargo test "$@" </dev/null 2>&1 | tee "$log" || status=$?
  read -r passed failed skipped < <(sed 's/\x1b\[[0-9;]*m//g' "$log" | awk '
    /^test result: / { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i-1); if ($i ~ /^failed/) f += $(i-1); if ($i ~ /^ignored/) s += $(i-1) } }
    END { print p + 0, f + 0, s + 0 }')
  # It did not compile, or a test program died before its closing line.
  if [ "$status" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
  if [ $((passed + failed)) = 0 ]; then
    warn "No test ran."
    status=1 failed=1
  fi
  PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
  record "$name ($passed passed, $failed failed, $skipped skipped)" "$status" "$started"
}

# skipped NAME WHY: said by name, and counted.
skipped() {
  heading "$1"
  say "skipped: $1 ($2)"
  SKIPPED=$((SKIPPED + 1))
  SUMMARY+=("$(printf '  %-24s skipped (%s)' "$1" "$2")")
}

could_not_run() {
  heading "$1"
  warn "$2"
  FAILED=$((FAILED + 1))
  record "$1" 1 "$SECONDS"
}

dependencies_are_allowed() {
  install_cargo_deny || return 1
  cargo deny check bans licenses sources
}

# The list of known vulnerabilities is fetched from the internet, which a machine may not reach.
advisories() {
  if timeout 60 cargo deny fetch db >"$STATE/advisories.log" 2>&1; then
    step advisories cargo deny check advisories
  else
    skipped advisories "the list of known vulnerabilities could not be fetched"
  fi
}

docs_build() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked; }

# Whole journeys against the containers of docker-compose.yml.
compose_journeys() {
  if docker_answers; then
    cargo_tests "compose journeys" "$STATE/test-compose.log" --locked -p system-tests --test compose -- --ignored
  else
    skipped "compose journeys" "no Docker daemon answers here"
  fi
}

SERVERS_JOB='' STOP_AT_END=yes

end_of_tests() {
  trap - EXIT INT TERM
  if [ -n "$SERVERS_JOB" ]; then
    kill "$SERVERS_JOB" 2>/dev/null || true
    wait "$SERVERS_JOB" || true
    SERVERS_JOB=''
  fi
  if [ -n "$STOP_AT_END" ]; then (stop_test_servers) || true; fi
}

interrupted() {
  end_of_tests
  warn "Interrupted."
  exit 130
}

run_tests() {
  local compose='' arguments=(--workspace) name value log=$STATE/test-servers.log
  while [ $# -gt 0 ]; do
    case $1 in
      --compose) compose=yes ;;
      --keep) STOP_AT_END='' ;;
      --) shift; break ;;
      *) die "./dev test [--compose] [--keep] [-- cargo-test-arguments]" ;;
    esac
    shift
  done
  # cargo takes the whole workspace even if a package is named beside it.
  case " $* " in *' -p '* | *' --package '*) arguments=() ;; esac
  command -v cargo >/dev/null || die "cargo is not on PATH: Rust comes by rustup."
  mkdir -p "$STATE"
  exec 6>"$STATE/test.lock"
  flock -n 6 || die "Another ./dev test runs in this folder."
  # What is built once only gains nothing from what a second build could begin with.
  if [ -n "${CI:-}" ]; then export CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never CARGO_INCREMENTAL=0; fi

  is_root || install_all   # sudo may want to ask, and cannot do so in the background
  use_test_set
  if supervisor_pid >/dev/null; then STOP_AT_END=''; fi   # somebody else's to stop
  trap end_of_tests EXIT
  trap interrupted INT TERM
  # Packages and servers come up while cargo checks; what they say is shown when they are waited for.
  prepare_servers >"$log" 2>&1 </dev/null 6>&- &
  SERVERS_JOB=$!

  cd "$ROOT" || exit 1
  step fmt cargo fmt --all --check
  step clippy cargo clippy --workspace --all-targets --locked -- -D warnings
  step doc docs_build
  step deny dependencies_are_allowed
  advisories

  heading "test servers"
  local ready=0
  wait "$SERVERS_JOB" || ready=$?
  SERVERS_JOB=''
  cat "$log"
  if [ "$ready" = 0 ]; then
    while IFS='=' read -r name value; do export "$name=$value"; done < <(test_variables)
    say "ready"
    # Tests wait for servers and for time most of the while; those that load the machine see to it themselves.
    export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(($(nproc) * 2))}
    cargo_tests tests "$STATE/test.log" "${arguments[@]}" --locked --no-fail-fast "$@"
    if [ $# = 0 ]; then fuzz_apis; else skipped "api fuzzing" "only some tests were asked for"; fi
  else
    could_not_run tests "The servers for tests did not start."
  fi
  [ -z "$compose" ] || compose_journeys

  end_of_tests
  heading summary
  printf '%s\n' "${SUMMARY[@]}"
  say
  say "$PASSED passed, $FAILED failed, $SKIPPED skipped"
  [ "$FAILED" = 0 ]
}
