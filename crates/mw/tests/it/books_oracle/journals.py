"""Checks exported journals with the programs they are for, then spoils them.

journals.py FOLDER [SPOILED]: the folder has books.beancount, books.journal and
books.ledger. Each has to be accepted as it is, and each of SPOILED transactions of it,
spoiled in each of the ways below, has to be found. Prints one line for each program.
"""

import importlib.util
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from decimal import Decimal

DATE = re.compile(r"^(\d{4})-(\d\d)-(\d\d) \*", re.M)
POSTING = re.compile(r"^( +)(\S+)(  )(-?\d+(?:\.\d+)?) (\S+)$")


def beancount(path):
    from beancount import loader

    _, errors, _ = loader.load_file(str(path))
    return [str(getattr(error, "message", error)) for error in errors]


def hledger(path):
    run = subprocess.run(
        ["hledger", "-f", str(path), "check", "--strict", "ordereddates"],
        capture_output=True, text=True,
    )
    return [] if run.returncode == 0 else [run.stderr or run.stdout]


def ledger(path):
    run = subprocess.run(
        ["ledger", "-f", str(path), "--pedantic", "bal"], capture_output=True, text=True
    )
    said = run.stdout + run.stderr
    return [said] if run.returncode != 0 or "rror" in run.stderr else []


PROGRAMS = {
    "beancount": ("books.beancount", beancount, None),
    "hledger": ("books.journal", hledger, "hledger"),
    "ledger": ("books.ledger", ledger, "ledger"),
}


def is_entry(block):
    """Whether a block is a transaction that posts something, not a row of balances."""
    return DATE.match(block) and "* balances of" not in block.split("\n")[0]


def change_amount(block, by):
    lines = block.split("\n")
    for place, line in enumerate(lines):
        found = POSTING.match(line)
        if found and found[5] not in ("GPUSEC", "KWSEC", "MWH", "BTC"):
            amount = found[4]
            places = len(amount.partition(".")[2])
            smallest = Decimal(1).scaleb(-places)
            lines[place] = f"{found[1]}{found[2]}{found[3]}{Decimal(amount) + smallest * by} {found[5]}"
            return "\n".join(lines)
    return None


def wrong_account(block, accounts):
    lines = block.split("\n")
    named = {POSTING.match(line)[2] for line in lines if POSTING.match(line)}
    for place, line in enumerate(lines):
        found = POSTING.match(line)
        if not found:
            continue
        others = [a for a, code in accounts.items() if code == found[5] and a not in named]
        if others:
            lines[place] = line.replace(found[2], others[0], 1)
            return "\n".join(lines)
    return None


def moved(block, years, months):
    def shift(found):
        month = int(found[1]) * 12 + int(found[2]) - 1 + years * 12 + months
        return f"{month // 12:04}-{month % 12 + 1:02}-{min(int(found[3]), 28):02} *"

    return DATE.sub(shift, block, count=1)


def ways(block, accounts):
    yield "a cent", change_amount(block, Decimal(1))
    yield "half a cent", change_amount(block, Decimal("0.5"))
    yield "a tenth of a cent", change_amount(block, Decimal("0.1"))
    yield "dropped", ""
    yield "doubled", block + "\n\n" + block
    yield "another account", wrong_account(block, accounts)
    yield "a month later", moved(block, 0, 1)
    yield "a year earlier", moved(block, -1, 0)


def accounts_of(blocks):
    found = {}
    for block in blocks:
        for line in block.split("\n"):
            posting = POSTING.match(line)
            if posting:
                found[posting[2]] = posting[5]
    return found


def main():
    folder = pathlib.Path(sys.argv[1])
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    wrong = []
    for name, (file, check, needs) in PROGRAMS.items():
        if not (shutil.which(needs) if needs else importlib.util.find_spec(name)):
            print(f"skipped: {name} is not installed")
            continue
        text = (folder / file).read_text()
        said = check(folder / file)
        if said:
            wrong.append(f"{name} does not accept the books as they are: {said[0][:2000]}")
            continue
        blocks = text.split("\n\n")
        entries = [place for place, block in enumerate(blocks) if is_entry(block)]
        step = max(1, len(entries) // wanted)
        accounts = accounts_of(blocks)
        tried = found = 0
        for place in entries[step // 2 :: step][:wanted]:
            for way, spoiled in ways(blocks[place], accounts):
                if spoiled is None:
                    continue
                with tempfile.TemporaryDirectory() as there:
                    path = pathlib.Path(there) / file
                    path.write_text("\n\n".join(blocks[:place] + [spoiled] + blocks[place + 1 :]))
                    tried += 1
                    if check(path):
                        found += 1
                    else:
                        wrong.append(f"{name} misses: {way} of\n{blocks[place]}")
        print(f"{name}: accepts {len(entries)} entries, finds {found} of {tried} faults")
    for one in wrong:
        print(one, file=sys.stderr)
    sys.exit(1 if wrong else 0)


main()
