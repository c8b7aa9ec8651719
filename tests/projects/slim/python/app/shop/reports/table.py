import csv
import io

TYPE = "text/csv"


def write(rows):
    out = io.StringIO()
    csv.writer(out).writerows(tuple(row) for row in rows)
    return out.getvalue()
