"""The station at the line: an HTTP service, and a page for the operator."""
