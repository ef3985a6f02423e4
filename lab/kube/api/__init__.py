"""The HTTP face of the store: paths, bodies, patches, watches, tables, exec."""
