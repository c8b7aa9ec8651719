"""A shop that uses what such programs use: templates, pictures, XML, numbers, zones, codecs, a database."""
