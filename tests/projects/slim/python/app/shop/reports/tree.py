from xml.etree import ElementTree

TYPE = "application/xml"


def write(rows):
    root = ElementTree.Element("products")
    for row in rows:
        ElementTree.SubElement(root, "product", {"id": str(row["id"]), "price": f"{row['price']:.2f}"}).text = row["name"]
    return ElementTree.tostring(root)
