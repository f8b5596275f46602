"""Images in: decoding, folders, preparation, views, and rendered parts."""
