# shellcheck shell=bash disable=SC2154
# A mail server that delivers nothing: it keeps every mail as a file, in SERVER_DATA/mails.

need_installed() {
  [ -e "$STATE/servers-venv/version" ] || fail "aiosmtpd is not installed; './dev install' does it"
}

# Copied, as the repository may be out of the servers' user's reach.
prepare() {
  "${AS[@]}" mkdir -p mails
  private_file mail.py <"$here/mail.py"
}

start() { become "$STATE/servers-venv/bin/python" mail.py "$SERVER_PORT" mails; }
