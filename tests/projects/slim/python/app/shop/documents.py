"""XML with lxml: XSLT and XPath."""

from pathlib import Path

from lxml import etree


def transformed(page: Path) -> bytes:
    style = etree.XSLT(etree.parse(Path(__file__).with_name("page.xsl")))
    return bytes(style(etree.parse(page)))


def select(document: bytes, path: str) -> list[str]:
    try:
        return [node.text or "" for node in etree.fromstring(document).xpath(path)]
    except etree.XMLSyntaxError as error:
        return [f"not XML: {error.msg}"]
