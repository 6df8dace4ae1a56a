# Sourced by ops/up and ops/test: finds a Python that is new enough, or says in one sentence that there is none.
# CROSSFADE_PYTHON names one by hand.

find_python() {
    # The embedded Redis has a ready wheel for 3.11 and 3.12 only; with a newer Python it must be compiled, so that comes last.
    for limit in "(3, 13)" "(4, 0)"; do
        for candidate in ${CROSSFADE_PYTHON:-python3 python3.12 python3.11 python3.13 python3.14 python}; do
            if "$candidate" -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < $limit)" >/dev/null 2>&1; then
                echo "$candidate"
                return 0
            fi
        done
    done
    found=$("${CROSSFADE_PYTHON:-python3}" --version 2>/dev/null) || found="no ${CROSSFADE_PYTHON:-python3}"
    echo "Crossfade needs Python 3.11 or newer, and this machine has $found: install one," \
        "or name it with CROSSFADE_PYTHON=/path/to/python." >&2
    return 1
}
