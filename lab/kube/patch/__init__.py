"""How objects are patched: JSON patch, strategic merge, server-side apply with field ownership."""
