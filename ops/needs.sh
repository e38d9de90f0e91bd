#!/bin/sh
# Prints the Python to use (>= 3.11), or names everything that this machine lacks, each with the command that installs
# it, and fails. Called by `make setup`; PYTHON=/path/to/python chooses one.
set -u
lacks=0

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
fi

# The broker needs Java 17 or later ("17.0.15", "21"); releases before 9 call themselves 1.x.
java=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
[ "${java:-0}" -ge 17 ] || lack 'a Java runtime, 17 or later' 'apt-get install default-jre-headless'
command -v mvn >/dev/null 2>&1 || lack 'Maven, which resolves the Kafka jars' 'apt-get install maven'

[ "$lacks" = 0 ] || exit 1
printf '%s\n' "$python"
