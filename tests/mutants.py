"""Twenty mistakes in parsers and rules, each of which a test must notice: `python tests/mutants.py`.

Each mutant is one line changed in a copy of the sources; the tests named beside it are run against the copy and
must fail. Ends with 1 and the mutant's text where one lives.
"""

from __future__ import annotations

import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "keyferry"


@dataclass(frozen=True, slots=True)
class Mutant:
    file: str
    right: str
    wrong: str
    tests: str


MUTANTS = (
    Mutant(
        "planning/rules.py", "(key.bits or 0) // 8 <= room", "(key.bits or 0) // 8 <= room + 1", "unit/test_rules.py"
    ),
    Mutant("planning/rules.py", "if key.extractable:", "if key.extractable is not False:", "unit/test_rules.py"),
    Mutant(
        "planning/rules.py",
        "kcv is not None and key.kcv == kcv",
        "kcv is None and key.kcv == kcv",
        "unit/test_rules.py",
    ),
    Mutant("verification/checks.py", "if ours != theirs:", "if ours[:4] != theirs[:4]:", "unit/test_checks.py"),
    Mutant("verification/checks.py", '"TOKEN": (True, arrived.token),', "", "unit/test_checks.py"),
    Mutant(
        "planning/selection.py",
        "if len(found) != 1:",
        "if not found:",
        "unit/test_evaluate.py unit/test_key_selection.py",
    ),
    Mutant(
        "migration/results.py", "Exit.PARTIAL if some_crossed else Exit.FAILED", "Exit.PARTIAL", "unit/test_results.py"
    ),
    Mutant("pkcs11.py", "2 * DIGEST_BYTES[digest] - 2", "2 * DIGEST_BYTES[digest]", "unit/test_rules.py"),
    Mutant(
        "errors.py",
        "    Exit.UNKNOWN_SCREEN,\n    Exit.UNREACHABLE,",
        "    Exit.UNREACHABLE,\n    Exit.UNKNOWN_SCREEN,",
        "unit/test_results.py",
    ),
    Mutant(
        "tools/logins.py",
        "before not in (None, _Outcome.ACCEPTED)",
        "before is _Outcome.REFUSED",
        "unit/test_logins.py",
    ),
    Mutant("tools/ckdemo/screens.py", 'if (ckr == "CKR_OK") == bool(failed):', "if False:", "parsing/test_ckdemo.py"),
    Mutant("tools/ckdemo/screens.py", "if len(found) != 1:", "if not found:", "parsing/test_ckdemo.py unit"),
    Mutant("tools/ckdemo/screens.py", ', "little")', ', "big")', "parsing/test_ckdemo.py"),
    Mutant("tools/ckdemo/screens.py", "if len(set(found)) != 1:", "if not found:", "parsing/test_ckdemo.py unit"),
    Mutant(
        "tools/classic/source.py",
        "return None\n    return shown",
        "return shown\n    return shown",
        "unit/test_classic.py",
    ),
    Mutant("terminal/value_filter.py", "self._value += len(piece)", "out += piece", "unit/test_value_filter.py"),
    Mutant(
        "terminal/prompts.py",
        r'rb"[\r\n\0][ \t]*(?:" + self.pattern + rb")\Z"',
        'self.pattern + rb"\\Z"',
        "unit/test_console.py",
    ),
    Mutant("terminal/console.py", "not self._child.has_more()", "True", "unit/test_console.py"),
    Mutant("recording/redactor.py", "keep = self._undecided(text[place:])", "keep = 0", "unit/test_redactor.py"),
    Mutant(
        "tools/vtl/driver.py",
        "if len(meant) != 1:",
        "if not meant:",
        "unit/test_vtl_driver.py parsing/test_vtl_screens.py",
    ),
    Mutant(
        "tools/key_mgmt_util/driver.py",
        "if outcome.failure:\n            done =",
        "if outcome.refused:\n            done =",
        "replay/test_mutated_twins.py -k kmu-unwrap-node",
    ),
    Mutant("terminal/screen_row.py", "self._cursor = max(0, self._cursor - 1)", "pass", "unit/test_screen_row.py"),
    Mutant(
        "terminal/console.py",
        "search(self._come, start, self._cursor)",
        "search(self._come, start)",
        "unit/test_screen_row.py",
    ),
    Mutant("tools/cloudhsm_cli/reply.py", "text.count(_MARK) != 1", "False", "parsing/test_cloudhsm_cli.py"),
    Mutant("tools/cloudhsm_cli/screens.py", "== {FULL}", "!= set()", "parsing/test_cloudhsm_cli.py"),
    Mutant("verification/checks.py", "if name in settable", "if False", "unit/test_checks.py"),
    Mutant("tools/key_mgmt_util/attributes.py", "if name in values:", "if False:", "parsing/test_key_mgmt_util.py"),
)


def lives(mutant: Mutant) -> bool:
    """Whether no test notices the mutant."""
    with tempfile.TemporaryDirectory(prefix="keyferry-mutant-") as folder:
        package = Path(folder) / "keyferry"
        shutil.copytree(SOURCES, package, ignore=shutil.ignore_patterns("__pycache__"))
        target = package / mutant.file
        text = target.read_text()
        if text.count(mutant.right) < 1:
            raise SystemExit(f"{mutant.file} no longer has {mutant.right!r}: mend tests/mutants.py")
        target.write_text(text.replace(mutant.right, mutant.wrong, 1))
        tests = [str(path) if (path := ROOT / "tests" / word).exists() else word for word in mutant.tests.split()]
        call = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *tests]
        done = subprocess.run(call, cwd=ROOT, env=os.environ | {"PYTHONPATH": folder}, capture_output=True, check=False)
        return done.returncode != 1


def main() -> int:
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        living = [mutant for mutant, alive in zip(MUTANTS, pool.map(lives, MUTANTS), strict=True) if alive]
    for mutant in living:
        print(f"lives: {mutant.file}: {mutant.right!r} -> {mutant.wrong!r}")  # noqa: T201 - a command's output
    print(f"{len(MUTANTS) - len(living)} of {len(MUTANTS)} mutants were noticed")  # noqa: T201 - as above
    return 1 if living else 0


if __name__ == "__main__":
    sys.exit(main())
