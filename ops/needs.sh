#!/bin/sh
# Prints the Python to use (>= 3.11), or names everything that this machine lacks, each with the command that installs
# it, and fails. Called by `make setup`; PYTHON=/path/to/python chooses one. Needs no program of the PATH itself.
set -u
lacks=0
project=${0%/*}/../pyproject.toml

lack() {
    printf 'missing: %s\n  install it with: %s\n' "$1" "$2" >&2
    lacks=1
}

# The first Python that is new enough and can make virtual environments with pip in them.
python=
for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    lack 'Python 3.11 or later' 'apt-get install python3 python3-venv'
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    lack "the venv module of $python" 'apt-get install python3-venv'
else
    # Only a notice: a later Python mostly works, but what goes wrong there is then no riddle.
    "$python" -c '
import sys, tomllib
with open(sys.argv[1], "rb") as file:
    tried = tomllib.load(file)["project"]["classifiers"]
version = "%d.%d" % sys.version_info[:2]
if f"Programming Language :: Python :: {version}" not in tried:
    print(f"notice: not tried on Python {version}", file=sys.stderr)
' "$project"
fi

# The broker needs Java 17 or later ("17.0.15", "21"); releases before 9 call themselves 1.x. JAVA_HOME comes first, as in
# ops/broker/jars.py, which starts it.
java=java
if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then
    java=$JAVA_HOME/bin/java
fi
said=$("$java" -version 2>&1)
version=${said#*version \"}
version=${version%%[!0-9]*}
[ "${version:-0}" -ge 17 ] || lack 'a Java runtime, 17 or later' 'apt-get install default-jre-headless'
command -v mvn >/dev/null 2>&1 || lack 'Maven, which resolves the Kafka jars' 'apt-get install maven'

[ "$lacks" = 0 ] || exit 1
printf '%s\n' "$python"
