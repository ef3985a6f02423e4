"""One module per kind of effect. Each handler looks first, acts only if needed, and waits for the result."""
