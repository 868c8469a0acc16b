# shellcheck shell=bash
# Schemathesis, from PyPI, asks every program by its own OpenAPI document: a part of ./dev test.

SCHEMATHESIS=schemathesis==4.32.5

install_schemathesis() { (install_venv fuzzing-venv "which asks each program what it should not" "$SCHEMATHESIS"); }

# The whole workspace and a filter, as with one package alone cargo would build what it needs once more.
fuzz_apis() {
  if install_schemathesis; then
    PATH="$STATE/fuzzing-venv/bin:$PATH" cargo_tests "api fuzzing" "$STATE/test-fuzzing.log" --workspace --locked --test it \
      -- --ignored --nocapture fuzzing::
  else
    could_not_run "api fuzzing" "Schemathesis could not be installed."
  fi
}
