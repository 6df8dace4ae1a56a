"""Break each promise in a copy of the tree, and see whether its tests notice.

    python -m tests.mutations [--only WORD]... [--list] [--json]

First the tests run as things are: one that fails then says nothing later. Exit code 1 when a mutation goes unnoticed,
or its text does not stand in the tree any more.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.mutations.copied import Copy
from tests.mutations.mutation import Mutation, read_all


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", metavar="WORD", help="those whose promise, file or tests hold it")
    parser.add_argument("--list", action="store_true", help="name them and try none")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    chosen = [one for one in read_all() if not options.only or any(word in str(one) for word in options.only)]
    if options.list:
        print(json.dumps([asdict(one) for one in chosen], indent=2) if options.json else "\n".join(map(_line, chosen)))
        return 0
    with tempfile.TemporaryDirectory(prefix="crossfade-mutations-") as directory:
        copy = Copy(Path(directory))
        if red := copy.failures(tuple(dict.fromkeys(test for one in chosen for test in one.tests))):
            print(f"Without any mutation there fail: {', '.join(red)}", file=sys.stderr)
            return 1
        results = []
        for mutation in chosen:
            results.append(_try(copy, mutation))
            if not options.json:
                print(_said(mutation, results[-1]), flush=True)
    caught = sum(result["caught"] for result in results)
    print(json.dumps(results, indent=2) if options.json else f"{caught} of {len(results)} caught")
    return 0 if caught == len(results) else 1


def _try(copy: Copy, mutation: Mutation) -> dict[str, Any]:
    began, complaint, failed = time.monotonic(), "", list[str]()
    try:
        failed = copy.failures_with(mutation)
    except ValueError as error:
        complaint = str(error)
    silent = [test for test in mutation.tests if not any(name.startswith(test.partition("[")[0]) for name in failed)]
    seconds = round(time.monotonic() - began, 1)
    known = {"promise": mutation.promise, "file": mutation.file, "seconds": seconds}
    return {**known, "caught": not silent, "complaint": complaint, "silent": silent, "failed": failed}


def _said(mutation: Mutation, result: dict[str, Any]) -> str:
    word = "caught  " if result["caught"] else "SURVIVED"
    return "\n".join([f"{word} {result['seconds']:6.1f} s  {_line(mutation)}", *result["silent"]])


def _line(mutation: Mutation) -> str:
    return f"{mutation.promise} | {mutation.file} | {' '.join(mutation.old.split())[:60]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
