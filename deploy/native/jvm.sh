# shellcheck shell=bash disable=SC2034
# What the servers that run in a Java virtual machine share.

JARS=$STATE/jars

# Debian's own, before one in somebody's home that the servers' user cannot reach.
system_java() { if [ -x /usr/bin/java ]; then say /usr/bin/java; else command -v java; fi; }

# need_jars KIND
need_jars() {
  java=$(system_java) || fail "there is no Java; './dev install' installs it"
  jars=$JARS/$1
  [ -e "$jars/version" ] || fail "its jars are not installed; './dev install' does it"
}

# Small machines start these often: no second compiler, one collector thread, nothing in the shared /tmp.
jvm_options() {
  "${AS[@]}" mkdir -p tmp
  options=("-Xms$1" "-Xmx$1" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData -XX:+ExitOnOutOfMemoryError
    "-Djava.io.tmpdir=$SERVER_DATA/tmp" -cp "$jars/*:$jars")
}
