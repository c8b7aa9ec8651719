"""Budgets as JUnit XML, which every CI system shows: one test case for each budget.

Source: the schema of Jenkins' xUnit plugin (junit-10.xsd), which the others follow.
"""

from __future__ import annotations

from proa.records.difference import Difference, Judged
from proa.report.markdown_text import plain


def junit(difference: Difference) -> str:
    """Return the document; without budgets a suite without cases."""
    from xml.sax.saxutils import quoteattr

    cases = [_case(one) for one in difference.budgets]
    name = quoteattr(_text(f"proa diff {difference.before.reference} {difference.after.reference}"))
    counts = f'tests="{len(cases)}" failures="{len(difference.exceeded)}"'
    suite = f'  <testsuite name={name} {counts} errors="0" skipped="0" time="0">'
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return "\n".join([head, f"<testsuites {counts}>", suite, *cases, "  </testsuite>", "</testsuites>", ""])


def _case(judged: Judged) -> str:
    from xml.sax.saxutils import escape, quoteattr

    title = f"{judged.budget} {judged.subject}".strip()
    opened = f'    <testcase classname="budgets" name={quoteattr(_text(title))} time="0"'
    message = _text(judged.message)
    if judged.is_within:
        return f"{opened}>\n      <system-out>{escape(message)}</system-out>\n    </testcase>"
    kind = quoteattr(f"budget/{judged.measure}")
    failure = f"<failure message={quoteattr(message)} type={kind}>{escape(message)}</failure>"
    return f"{opened}>\n      {failure}\n    </testcase>"


def _text(text: str) -> str:
    r"""Return text with signs that XML cannot have as escapes. Source: XML 1.0, 2.2.

    >>> _text("a\x00b")
    'a\\x00b'
    """
    return plain(text).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
