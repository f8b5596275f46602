"""The networks that are trained, one file per family; nothing but modules."""
