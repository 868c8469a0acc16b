# shellcheck shell=bash
# Schemathesis, from PyPI, asks every program by its own OpenAPI document: a part of ./dev test.

SCHEMATHESIS=schemathesis==4.32.5

install_schemathesis() {
  local venv=$STATE/fuzzing-venv log=$STATE/install.log
  if [ "$(cat "$venv/version" 2>/dev/null)" = "$SCHEMATHESIS" ]; then return 0; fi
  say "Installing $SCHEMATHESIS"
  rm -rf "$venv"
  if ! { "$(system_python)" -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check "$SCHEMATHESIS"; } \
    2>&1 | mask_hosts >>"$log"; then
    tail -n 15 "$log" >&2
    warn "$SCHEMATHESIS could not be installed; all that pip said is in $log"
    return 1
  fi
  printf '%s\n' "$SCHEMATHESIS" >"$venv/version"   # last, so that an interrupted install is begun anew
}

# The whole workspace and a filter, as with one package alone cargo would build what it needs once more.
fuzz_apis() {
  if install_schemathesis; then
    PATH="$STATE/fuzzing-venv/bin:$PATH" cargo_tests "api fuzzing" "$STATE/test-fuzzing.log" --workspace --locked --test it \
      -- --ignored --nocapture fuzzing::
  else
    could_not_run "api fuzzing" "Schemathesis could not be installed."
  fi
}
