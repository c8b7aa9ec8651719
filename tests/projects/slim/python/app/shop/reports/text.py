TYPE = "text/plain"


def write(rows):
    return "".join(f"{row['id']:4} {row['name']:20} {row['price']:8.2f}\n" for row in rows)
